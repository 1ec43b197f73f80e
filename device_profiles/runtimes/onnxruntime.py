"""onnxruntime on the CPU, as it runs inside the child process. Needs numpy and onnxruntime, nothing else."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from device_profiles.wire import strip_weights

_NUMPY = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(int64)": np.int64,
    "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32, "tensor(uint64)": np.uint64, "tensor(bool)": np.bool_,
}  # fmt: skip

#: The runtime's names of element types, in its profile, and ours.
DTYPES = {"float": "float32", "double": "float64"}


class Session:
    """A loaded model with inputs made for it: `call()` runs it once."""

    def __init__(self, session: Any, call: Callable[[], object]) -> None:
        self.session, self.call = session, call


class Runtime:
    """onnxruntime's CPU provider with a fixed number of threads."""

    name = "onnxruntime"

    def __init__(self, threads: int) -> None:
        self.threads = threads
        ort.set_default_logger_severity(3)

    def fingerprint(self) -> dict[str, Any]:
        """Version and settings: what decides how fast the same model runs."""
        return {"name": self.name, "version": ort.__version__, "threads": self.threads, "provider": "CPUExecutionProvider"}

    def _options(self, optimise: bool) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
        return options

    def executed(self, model: bytes) -> tuple[bytes, dict[str, list[tuple[str, list[int]]]], dict[str, Any]]:
        """The graph that runs after the runtime's own fusions, without weights, with the output types and shapes of every node.

        Shapes are those of one real run: the optimised model does not hold them. Returns (ONNX bytes, node name -> [(dtype, shape)], {}).
        """
        with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
            options = self._options(optimise=True)
            options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            session.run(None, feeds(session))
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
            optimised = strip_weights(Path(options.optimized_model_filepath).read_bytes())
        shapes: dict[str, list[tuple[str, list[int]]]] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                outputs = event["args"]["output_type_shape"]
                shapes[event["name"].removesuffix("_kernel_time")] = [(DTYPES.get(t, t), s) for item in outputs for t, s in item.items()]
        return optimised, shapes, {}

    def load(self, model: bytes, isolated: bool) -> Session:
        """A session ready to be timed.

        `isolated`: the model holds operators that are already what the runtime executes: it is run as it stands, with inputs and outputs
        bound beforehand, so that nothing but the operators is timed. Otherwise it is a whole network, optimised by the runtime and called
        as a user calls it, `session.run` with arrays in and arrays out.
        """
        session = ort.InferenceSession(model, self._options(optimise=not isolated), providers=["CPUExecutionProvider"])
        inputs = feeds(session)
        if not isolated:
            return Session(session, lambda: session.run(None, inputs))
        binding = session.io_binding()
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for output in session.get_outputs():
            if output.type in _NUMPY and all(isinstance(d, int) for d in output.shape):
                binding.bind_ortvalue_output(output.name, ort.OrtValue.ortvalue_from_shape_and_type(output.shape, _NUMPY[output.type]))
            else:
                binding.bind_output(output.name, "cpu")
        return Session(session, lambda: session.run_with_iobinding(binding))


def feeds(session: Any) -> dict[str, npt.NDArray[Any]]:
    """Random inputs of the right shapes (always the same): normal floats, and zeros for integers, which are legal as indices."""
    rng = np.random.default_rng(0)
    result: dict[str, npt.NDArray[Any]] = {}
    for value in session.get_inputs():
        shape = [d if isinstance(d, int) and d > 0 else 1 for d in value.shape]
        dtype = np.dtype(_NUMPY[value.type])
        result[value.name] = rng.standard_normal(shape).astype(dtype) if dtype.kind == "f" else np.zeros(shape, dtype)
    return result


def time_calls(call: Callable[[], object], warmup: int, block_ns: int, min_calls: int, max_calls: int) -> npt.NDArray[np.int64]:
    """Times single calls back to back until the block is full; returns nanoseconds per call, shape `(calls,)`.

    The collector of the interpreter is off meanwhile. A block ends after `block_ns`, but has at least `min_calls` and at most `max_calls`.
    """
    clock = time.perf_counter_ns
    times: list[int] = []
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(warmup):
            call()
        end = clock() + block_ns
        while len(times) < max_calls:
            start = clock()
            call()
            stop = clock()
            times.append(stop - start)
            if stop >= end and len(times) >= min_calls:
                break
    finally:
        if enabled:
            gc.enable()
    return np.array(times, dtype=np.int64)
