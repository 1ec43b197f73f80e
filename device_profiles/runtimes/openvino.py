"""OpenVINO's CPU plugin as it runs inside the child process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov

from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array, Executed
from device_profiles.runtimes.place import Place

#: Kernels that hold or hand over data and compute nothing.
_NOT_RUN = frozenset({"Const", "Output"})


class Session(base.Session):
    """A compiled model with one request that is used again and again."""

    def __init__(self, compiled: Any, names: Sequence[str], isolated: bool) -> None:
        # An input that a node hands on unchanged has the name of what that makes too, and any of them may come first: `names` are those
        # of the model, and inputs are known by their places.
        self.request = compiled.create_infer_request()
        made = base.feeds(
            [
                (name, tuple(i.get_shape()), np.dtype(i.get_element_type().to_dtype()))
                for name, i in zip(names, compiled.inputs, strict=True)
            ]
        )
        self.inputs = {index: made[name] for index, name in enumerate(names)}
        self.isolated, self.rng = isolated, np.random.default_rng(0)
        ports = [*compiled.inputs, *compiled.outputs] if isolated else []
        self.places = [(port, Place(tuple(port.get_shape()), port.get_element_type().to_dtype())) for port in ports]
        self.move()

    def move(self) -> None:
        """Gives the inputs and outputs of isolated operators a new place in memory, see `place`."""
        for index, (port, place) in enumerate(self.places):
            array = place.move(self.rng)
            if index in self.inputs:
                array[...] = self.inputs[index]
            self.request.set_tensor(port, ov.Tensor(array, shared_memory=True))

    def time(
        self, warmup: int, block_ns: int, min_calls: int, max_calls: int, before: Callable[[], object] = base.nothing
    ) -> npt.NDArray[np.int64]:
        """Nanoseconds of single calls, all in the same place."""
        self.move()
        return super().time(warmup, block_ns, min_calls, max_calls, before)

    def call(self) -> object:
        """Runs the model once, with one thread in this very thread: with arrays in and out as one who calls the compiled model; isolated
        operators on tensors set already."""
        if not self.isolated:
            return self.request.infer(self.inputs, share_inputs=True)
        return self.request.infer(None, share_inputs=True, share_outputs=True)

    def outputs(self) -> list[Array]:
        """The outputs of one run."""
        self.request.infer(self.inputs)
        return [np.array(tensor.data) for tensor in self.request.output_tensors]


class Runtime(base.Runtime):
    """The CPU plugin: one stream, in float32 throughout, with a fixed number of threads."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(name, threads)
        self.core = ov.Core()
        # Which cores the child may use is decided from outside: a runtime that pins its threads to the first core by itself would meet
        # everybody else who does.
        self.settings = {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
            "EXECUTION_MODE_HINT": "ACCURACY", "ENABLE_CPU_PINNING": False,
        }  # fmt: skip

    def fingerprint(self) -> dict[str, Any]:
        """Version and settings: what decides how fast the same model runs."""
        version = ov.get_version().partition("-")[0]
        return {"name": self.name, "version": version, "threads": self.threads, "provider": "CPU", "settings": self.settings}

    def _compile(self, model: bytes) -> tuple[Any, list[str]]:
        """The compiled model, and what its inputs are called in the file."""
        read = self.core.read_model(model)
        names = [given.get_any_name() for given in read.inputs]
        return self.core.compile_model(read, "CPU", self.settings), names

    def executed(self, model: bytes) -> Executed:
        """The kernels of the compiled model, with the layers of the source that went into each and how their results lie in memory."""
        nodes = self._compile(model)[0].get_runtime_model().get_ordered_ops()
        number = {node.get_name(): index for index, node in enumerate(nodes)}
        kernels: list[dict[str, Any]] = []
        for node in nodes:
            info = {key: str(getattr(value, "value", value)) for key, value in node.get_rt_info().items()}
            sources = [(number[o.get_node().get_name()], o.get_index()) for o in (i.get_source_output() for i in node.inputs())]
            constant = info["layerType"] == "Const" or (bool(sources) and all(kernels[s]["constant"] for s, _ in sources))
            layers = [] if constant or info["layerType"] in _NOT_RUN else [n for n in info["originalLayersNames"].split(",") if n]
            kernels.append(
                {
                    "type": info["layerType"],
                    "layers": layers,
                    "sources": sources,
                    "layouts": info["outputLayouts"].split(","),
                    "constant": constant,
                }
            )
        return Executed("kernels", {"kernels": kernels})

    def load(self, model: bytes, isolated: bool) -> Session:
        """A session ready to be timed; whatever is isolated is compiled as any model, and becomes the same kernels."""
        return Session(*self._compile(model), isolated)


def create(name: str, threads: int) -> Runtime:
    """The runtime `openvino`."""
    return Runtime(name, threads)
