"""onnxruntime as it runs inside the child process. Needs numpy and onnxruntime, nothing else."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from device_profiles.errors import DeviceError
from device_profiles.graphs import models
from device_profiles.graphs.wire import strip_weights
from device_profiles.operators import Operator, Tensor
from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array, Executed
from device_profiles.runtimes.place import Place

_NUMPY = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(int64)": np.int64,
    "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32, "tensor(uint64)": np.uint64, "tensor(bool)": np.bool_,
}  # fmt: skip

#: The runtime's names of element types, in its profile, and ours.
DTYPES = {"float": "float32", "double": "float64"}

#: A million multiplications: enough for two threads to share, and done in some ten microseconds.
_PROBE = Operator("MatMul", (Tensor((64, 128)), Tensor((128, 128))), (Tensor((64, 128)),))

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class Session(base.Session):
    """A whole network, called as a user calls it: `session.run` with arrays in and arrays out."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.inputs = feeds(session)

    def call(self) -> object:
        """Runs the model once."""
        return self.session.run(None, self.inputs)

    def outputs(self) -> list[Array]:
        """The outputs of one run."""
        return [np.asarray(array) for array in self.session.run(None, self.inputs)]


class BoundSession(Session):
    """Isolated operators: inputs and outputs lie on the device before anything is timed."""

    def __init__(self, session: Any, device: str) -> None:
        super().__init__(session)
        self.binding = session.io_binding()
        for name, array in self.inputs.items():
            self.binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, device, 0))
        for output in session.get_outputs():
            if _fixed(output):
                value = ort.OrtValue.ortvalue_from_shape_and_type(output.shape, _NUMPY[output.type], device, 0)
                self.binding.bind_ortvalue_output(output.name, value)
            else:
                self.binding.bind_output(output.name, device)

    def call(self) -> object:
        """Runs the model once."""
        return self.session.run_with_iobinding(self.binding)


class MovedSession(BoundSession):
    """Isolated operators on the CPU, whose inputs and outputs get a new place in memory for every block; see `place`."""

    def __init__(self, session: Any) -> None:
        super().__init__(session, "cpu")
        self.rng = np.random.default_rng(0)
        self.sources = {name: Place(array.shape, array.dtype) for name, array in self.inputs.items()}
        self.results = {v.name: Place(v.shape, _NUMPY[v.type]) for v in session.get_outputs() if _fixed(v)}

    def time(
        self, warmup: int, block_ns: int, min_calls: int, max_calls: int, before: Callable[[], object] = base.nothing
    ) -> npt.NDArray[np.int64]:
        """Nanoseconds of single calls, all in the same place."""
        for name, place in self.sources.items():
            array = place.move(self.rng)
            array[...] = self.inputs[name]
            self.binding.bind_input(name, "cpu", 0, place.dtype, place.shape, array.ctypes.data)
        for name, place in self.results.items():
            self.binding.bind_output(name, "cpu", 0, place.dtype, place.shape, place.move(self.rng).ctypes.data)
        return super().time(warmup, block_ns, min_calls, max_calls, before)


class Runtime(base.Runtime):
    """One execution provider of onnxruntime with a fixed number of threads."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(name, threads)
        self.provider = CUDA if name.endswith("-cuda") else CPU
        if self.provider not in ort.get_available_providers():
            raise DeviceError("this onnxruntime has no CUDA execution provider: pip install onnxruntime-gpu in place of onnxruntime")
        ort.set_default_logger_severity(3)
        # Threads keep spinning for milliseconds after a call. With threads of its own every model would be timed against those of the
        # model before it, which no application has that runs one model.
        self.shared = threads > 1 and self.provider == CPU and hasattr(ort, "set_global_thread_pool_sizes")
        if self.shared:
            ort.set_global_thread_pool_sizes(threads, 1)

    def fingerprint(self) -> dict[str, Any]:
        """Version and settings: what decides how fast the same model runs."""
        found = {"name": self.name, "version": ort.__version__, "threads": self.threads, "provider": self.provider}
        if self.threads > 1 and self.provider == CPU:
            found["settings"] = {"threads_kept": "in one pool" if self.shared else "asleep between calls"}
        return found

    def _options(self, optimise: bool) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        if self.shared:
            options.use_per_session_threads = False
        elif self.threads > 1 and self.provider == CPU:
            options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 3
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
        return options

    def _session(self, model: bytes, options: Any) -> Any:
        if self.provider == CPU:
            return ort.InferenceSession(model, options, providers=[CPU])
        # TF32 is on unless told otherwise; this runtime is called float32.
        session = ort.InferenceSession(model, options, providers=[(CUDA, {"use_tf32": "0"}), CPU])
        if session.get_providers()[0] != CUDA:  # it falls back in silence
            raise DeviceError("onnxruntime cannot use its CUDA execution provider here: no CUDA device, or CUDA libraries are missing")
        return session

    def executed(self, model: bytes) -> Executed:
        """The graph that runs after the runtime's own fusions, without weights, with the output types and shapes of every node.

        Shapes are those of one real run: the optimised model does not hold them.
        """
        return self._watched(model, 1)[0]

    def node_times(self, model: bytes, runs: int) -> tuple[Executed, dict[str, list[int]]]:
        """Kernel times by node; onnxruntime counts whole microseconds. The first run, which takes memory, is left out."""
        executed, events = self._watched(model, runs + 1)
        times: dict[str, list[int]] = {}
        for name, event in events:
            times.setdefault(name, []).append(1000 * int(event["dur"]))
        return executed, {name: values[1:] for name, values in times.items()}

    def _watched(self, model: bytes, runs: int) -> tuple[Executed, list[tuple[str, dict[str, Any]]]]:
        """What is executed, and the events of its kernels in some runs of the same session."""
        with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
            options = self._options(optimise=True)
            options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
            events = self._profiled(model, options, runs, folder)
            optimised = strip_weights(Path(options.optimized_model_filepath).read_bytes())
        shapes: dict[str, list[tuple[str, list[int]]]] = {}
        for name, event in events:
            shapes[name] = [(DTYPES.get(t, t), s) for item in event["args"]["output_type_shape"] for t, s in item.items()]
        return Executed("optimised", {"shapes": shapes}, optimised), events

    def _profiled(self, model: bytes, options: Any, runs: int, folder: str) -> list[tuple[str, dict[str, Any]]]:
        """The events of kernels in the runtime's profile of some runs, each with the name of its node."""
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = self._session(model, options)
        inputs = feeds(session)
        for _ in range(runs):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
        return [(event["name"].removesuffix("_kernel_time"), event) for event in kernels]

    def probe(self) -> Callable[[], object] | None:
        """A small product on all threads, where the sessions share them."""
        return self.load(models.operator_model(_PROBE), isolated=True).call if self.shared else None

    def load(self, model: bytes, isolated: bool) -> Session:
        """A session ready to be timed: isolated operators are run as they stand, a whole network is optimised by the runtime."""
        session = self._session(model, self._options(optimise=not isolated))
        if not isolated:
            return Session(session)
        return MovedSession(session) if self.provider == CPU else BoundSession(session, "cuda")


def _fixed(value: Any) -> bool:
    """Whether the model says what type and shape a value has."""
    return value.type in _NUMPY and all(isinstance(d, int) for d in value.shape)


def feeds(session: Any) -> dict[str, Array]:
    """Inputs for a session, see `base.feeds`."""
    return base.feeds([(value.name, value.shape, np.dtype(_NUMPY[value.type])) for value in session.get_inputs()])


def create(name: str, threads: int) -> Runtime:
    """The runtime `onnxruntime` or `onnxruntime-cuda`."""
    return Runtime(name, threads)
