"""Filling a model whose weights were stripped: how fast a kernel runs does not depend on what its weights are."""

from __future__ import annotations

import math

import numpy as np

from device_profiles.errors import InputError
from device_profiles.graphs.graph import parse
from device_profiles.graphs.messages import GraphProto, TensorProto
from device_profiles.graphs.models import weight_tensor
from device_profiles.graphs.tensors import DTYPES, EXTERNAL, has_data
from device_profiles.operators import Operator, Tensor

#: A model with more bytes of weights than this cannot be one ONNX file.
MAX_BYTES = 2**31

#: Constants of at most so many numbers may be bounds, factors or sizes that decide what a kernel does.
_FEW = 4

_EXTERNAL_DATA = 13  # the field of TensorProto that names another file


def fill_weights(data: bytes, seed: int = 0) -> bytes:
    """The model with random content for every constant that has none, by the rule of `weight_tensor`; `data` itself when all have theirs.

    Raises InputError when the weights would not fit into one file, or are of a type for which no content can be made.
    """
    model = parse(data)
    wanted = _declared(model.graph)
    if wanted >= MAX_BYTES:
        raise InputError(f"the model declares {wanted / 1e9:.1f} GB of weights; at most {MAX_BYTES / 1e9:.1f} GB can be filled")
    return model.encode() if _fill(model.graph, np.random.default_rng(seed)) else data


def declared_bytes(data: bytes) -> int:
    """Bytes of the constants that `fill_weights` would fill."""
    return _declared(parse(data).graph)


def _declared(graph: GraphProto) -> int:
    return int(sum(_tensor(proto).bytes for proto in _empty(graph)))


def without_weights(data: bytes) -> bytes:
    """The model without the content of its floating-point constants, however small, but for those of a few numbers, such as bounds."""
    model = parse(data)
    for graph in _graphs(model.graph):
        for proto in graph.initializer:
            if DTYPES.get(proto.data_type) == "float32" and math.prod(proto.dims) > _FEW:
                proto.__dict__.pop("raw_data", None)
                proto.__dict__.pop("float_data", None)
    return model.encode()


def forget_files(data: bytes) -> bytes:
    """The model without references to other files: a constant that lies in one becomes a constant without data."""
    model = parse(data)
    for proto in _empty(model.graph):
        if proto.data_location == EXTERNAL:
            proto.__dict__.pop("data_location")
            proto.others = [(number, raw) for number, raw in proto.others if number != _EXTERNAL_DATA]
    return model.encode()


def _tensor(proto: TensorProto) -> Tensor:
    if any(d < 0 for d in proto.dims) or proto.data_type not in DTYPES:
        raise InputError(f"constant {proto.name!r} has no shape or type that can be filled: {tuple(proto.dims)}, type {proto.data_type}")
    return Tensor(tuple(proto.dims), DTYPES[proto.data_type], constant=True)


def _graphs(graph: GraphProto) -> list[GraphProto]:
    """The graph and all graphs inside its nodes."""
    inner = [g for node in graph.node for a in node.attribute for g in (*a.graphs, *([a.g] if a.g else [])) if g is not None]
    return [graph, *(found for g in inner for found in _graphs(g))]


def _empty(graph: GraphProto) -> list[TensorProto]:
    """All constants without data."""
    return [proto for g in _graphs(graph) for proto in (*g.initializer, *_constants(g).values()) if not has_data(proto)]


def _constants(graph: GraphProto) -> dict[str, TensorProto]:
    """The tensors of `Constant` nodes by the values that they produce."""
    return {
        node.output[0]: attribute.t
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and attribute.t is not None and node.output
    }


def _fill(graph: GraphProto, rng: np.random.Generator) -> int:
    """Fills in place; returns how many constants it has filled."""
    filled = 0
    for inner in _graphs(graph):
        readers = {value: (node.op_type, position) for node in reversed(inner.node) for position, value in enumerate(node.input)}
        named = [(proto.name, proto) for proto in inner.initializer] + list(_constants(inner).items())
        for name, proto in named:
            if not has_data(proto):
                kind, position = readers.get(name, ("", 0))
                proto.raw_data, filled = _content(proto, kind, position, rng), filled + 1
    return filled


def _content(proto: TensorProto, kind: str, position: int, rng: np.random.Generator) -> bytes:
    """Content for a constant that input `position` of an operator of this kind reads."""
    quantising = kind in ("QuantizeLinear", "DequantizeLinear")
    operator = Operator(kind, (Tensor((1,), "int8"),) if quantising else (), ())
    content = weight_tensor(proto.name, _tensor(proto), operator, position, rng).raw_data
    # The zero points of a bias must be zero, and those of symmetric weights are: kernels take a slower way for others.
    return bytes(len(content)) if quantising and position == 2 else content
