"""An ONNX model made ready for ncnn: converted, checked, with what is given to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ncnn
import numpy as np

from device_profiles.errors import DeviceError
from device_profiles.graphs.graph import known_tensors, parse
from device_profiles.graphs.messages import ModelProto, ValueInfoProto
from device_profiles.graphs.wire import strip_weights
from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array
from device_profiles.runtimes.fused import PASSED_ON
from device_profiles.runtimes.ncnn_param import Layer, pruned
from device_profiles.runtimes.pnnx import NO_BATCH, converted
from device_profiles.runtimes.pnnx_source import pnnx_source


@dataclass(frozen=True)
class Place:
    """An input or output: its blob, the axis of it that is the batch, as ncnn says it, and its shape where the model states it."""

    blob: str
    batch_axis: int
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Prepared:
    """Layers, the file of their weights (None: there are none), the inputs with their content, and the outputs.

    `feeds`: the content by the names of the model.
    """

    layers: tuple[Layer, ...]
    weights: Path | None
    inputs: tuple[tuple[Place, Array], ...]
    outputs: tuple[Place, ...]
    feeds: Mapping[str, Array]


@contextmanager
def prepared(model: bytes, isolated: bool) -> Iterator[Prepared]:
    """The model for ncnn; its weights are there while the block lasts. `isolated`: see `base.Runtime.load`.

    Raises InputError when it is no model, and DeviceError when its inputs are not float32 or pnnx or ncnn cannot do it.
    """
    proto = parse(strip_weights(model))
    feeds = _feeds(proto)
    if all(node.op_type in PASSED_ON for node in proto.graph.node):
        yield _passed_on(proto, feeds)
        return
    kinds = [node.op_type for node in proto.graph.node if node.op_type != "Constant"]
    known = known_tensors(proto)
    stated = [known[value.name].shape if value.name in known else None for value in proto.graph.output]
    shapes = {name: array.shape for name, array in feeds.items()}
    with converted(pnnx_source(model, shapes, isolated), list(shapes.values()), kinds) as net:
        axes = net.batch_axes
        outputs = tuple(Place(f"out{i}", axes.get(f"out{i}", NO_BATCH), shape) for i, shape in enumerate(stated))
        layers = pruned(net.layers, [place.blob for place in outputs])
        _check(layers, kinds)
        inputs = tuple((Place(f"in{i}", axes.get(f"in{i}", NO_BATCH), a.shape), a) for i, a in enumerate(feeds.values()))
        yield Prepared(layers, net.weights, inputs, outputs, feeds)


def _feeds(proto: ModelProto) -> dict[str, Array]:
    known, constants = known_tensors(proto), {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    other = next((value.name for value in inputs if value.name in known and known[value.name].dtype != "float32"), None)
    if other is not None:
        raise DeviceError(f"ncnn is measured with float32 inputs; {other!r} is {known[other].dtype}")
    return base.feeds([(value.name, _dims(value), np.dtype(np.float32)) for value in inputs])


def _dims(value: ValueInfoProto) -> list[int]:
    """The dimensions of an input; 0 for one that is not fixed."""
    tensor = value.type.tensor_type if value.type else None
    if tensor is None or tensor.shape is None:
        raise DeviceError(f"the shape of input {value.name!r} is not known")
    return [dim.dim_value for dim in tensor.shape.dim]


def _passed_on(proto: ModelProto, feeds: Mapping[str, Array]) -> Prepared:
    """A model that hands on what it gets, on which pnnx crashes: its results are its inputs."""
    places = {name: Place(f"in{i}", NO_BATCH, array.shape) for i, (name, array) in enumerate(feeds.items())}
    same = dict(places)
    for node in proto.graph.node:
        same[node.output[0]] = same[node.input[0]]
    layers = tuple(Layer("Input", place.blob, (), (place.blob,)) for place in places.values())
    inputs = tuple((place, feeds[name]) for name, place in places.items())
    return Prepared(layers, None, inputs, tuple(same[value.name] for value in proto.graph.output), feeds)


def _check(layers: Sequence[Layer], kinds: Sequence[str]) -> None:
    unknown = dict.fromkeys(layer.type for layer in layers if ncnn.layer_to_index(layer.type) < 0)
    named = [kind for kind in unknown if kind in kinds] or list(unknown)
    if named:
        raise DeviceError(f"ncnn cannot run {', '.join(named)}: pnnx finds no layer of ncnn for it")
