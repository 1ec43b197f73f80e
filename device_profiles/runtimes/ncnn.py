"""ncnn on the CPU, with models that pnnx converts, as it runs inside the child process."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from device_profiles.errors import DeviceError
from device_profiles.graphs.graph import known_tensors, parse
from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array, Executed
from device_profiles.runtimes.ncnn_batch import with_batch_marks
from device_profiles.runtimes.ncnn_param import Layer, pruned, write_layers
from device_profiles.runtimes.ncnn_session import IsolatedSession, Place, Session, as_mat, extracted, make_net
from device_profiles.runtimes.ncnn_trace import kernels
from device_profiles.runtimes.onnx_values import computed_values
from device_profiles.runtimes.pnnx import NO_BATCH, converted, program

#: Everything is computed and kept in float32, as onnxruntime does; the rest is as ncnn comes.
_SETTINGS = {
    "use_fp16_packed": False, "use_fp16_storage": False, "use_fp16_arithmetic": False, "use_bf16_packed": False, "use_bf16_storage": False,
    "use_int8_inference": False, "use_packing_layout": True, "use_winograd_convolution": True, "use_sgemm_convolution": True,
    "use_vulkan_compute": False, "lightmode": True,
}  # fmt: skip


@dataclass(frozen=True)
class _Prepared:
    """A converted model and what is given to it, by the names of the model; `weights` is there as long as the block of `_prepared` lasts."""

    layers: tuple[Layer, ...]
    weights: Path
    inputs: list[tuple[Place, Array]]
    outputs: list[Place]
    feeds: dict[str, Array]


class Runtime(base.Runtime):
    """ncnn's CPU layers, in float32 throughout, with a fixed number of threads."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(name, threads)
        program()  # says what is missing before anything is asked
        self.settings = {**_SETTINGS, "num_threads": threads}

    def fingerprint(self) -> dict[str, Any]:
        """Versions and settings: what decides how fast the same model runs."""
        settings = {**_SETTINGS, "precision": "float32", "pnnx": importlib.metadata.version("pnnx")}
        return {"name": self.name, "version": ncnn.__version__, "threads": self.threads, "provider": "CPU", "settings": settings}

    def executed(self, model: bytes) -> Executed:
        """The layers that ncnn runs, each with the values of the source that it makes."""
        with _prepared(model, isolated=False) as prepared:
            net = make_net(write_layers(prepared.layers), prepared.weights, {**self.settings, "lightmode": False})
            extractor = net.create_extractor()
            for place, array in prepared.inputs:
                extractor.input(place.blob, as_mat(array, place.batch_axis))
            made = {blob: _content(extracted(extractor, blob)) for layer in prepared.layers for blob in layer.tops}
            return Executed("kernels", {"kernels": kernels(prepared.layers, made, computed_values(model, prepared.feeds))})

    def load(self, model: bytes, isolated: bool) -> Session:
        """A session ready to be timed."""
        with _prepared(model, isolated) as prepared:
            if isolated:
                return IsolatedSession(prepared.layers, prepared.weights, self.settings, prepared.inputs, prepared.outputs)
            net = make_net(write_layers(prepared.layers), prepared.weights, self.settings)
            return Session(net, prepared.inputs, prepared.outputs)


def _content(mat: Any) -> Array:
    return np.array(mat.numpy(batch_index=0) if mat.n > 1 else mat.numpy())


@contextmanager
def _prepared(model: bytes, isolated: bool) -> Iterator[_Prepared]:
    """The model converted. Raises DeviceError when it has inputs that are not float32, or nodes that pnnx or ncnn cannot do."""
    proto = parse(model)
    known, constants = known_tensors(proto), {tensor.name for tensor in proto.graph.initializer}
    names = [value.name for value in proto.graph.input if value.name not in constants]
    other = next((name for name in names if name in known and known[name].dtype != "float32"), None)
    if other is not None:
        raise DeviceError(f"ncnn is measured with float32 inputs; {other!r} is {known[other].dtype}")
    results = [value.name for value in proto.graph.output]
    kinds = [node.op_type for node in proto.graph.node if node.op_type != "Constant"]
    feeds = base.feeds([(value.name, _dims(value), np.dtype(np.float32)) for value in proto.graph.input if value.name in names])
    shapes = {name: array.shape for name, array in feeds.items()}
    source = with_batch_marks(proto, shapes).encode() if isolated else model
    with converted(source, list(shapes.values()), kinds) as net:
        outputs = [
            Place(f"out{i}", net.batch_axes.get(f"out{i}", NO_BATCH), known[name].shape if name in known else None)
            for i, name in enumerate(results)
        ]
        layers = pruned(net.layers, [place.blob for place in outputs])
        _check(layers, kinds)
        inputs = [
            (Place(f"in{i}", net.batch_axes.get(f"in{i}", NO_BATCH), array.shape), array) for i, array in enumerate(feeds.values())
        ]
        yield _Prepared(layers, net.weights, inputs, outputs, feeds)


def _dims(value: Any) -> list[int]:
    """The dimensions of an input; 0 for one that is not fixed."""
    tensor = value.type.tensor_type if value.type else None
    if tensor is None or tensor.shape is None:
        raise DeviceError(f"the shape of input {value.name!r} is not known")
    return [dim.dim_value for dim in tensor.shape.dim]


def _check(layers: Sequence[Layer], kinds: Sequence[str]) -> None:
    unknown = dict.fromkeys(layer.type for layer in layers if ncnn.layer_to_index(layer.type) < 0)
    named = [kind for kind in unknown if kind in kinds] or list(unknown)
    if named:
        raise DeviceError(f"ncnn cannot run {', '.join(named)}: pnnx finds no layer of ncnn for it")


def create(name: str, threads: int) -> Runtime:
    """The runtime `ncnn`."""
    return Runtime(name, threads)
