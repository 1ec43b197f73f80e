"""Operators and networks to ONNX models, without the onnx package: used on the host and on the target alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from device_profiles.graphs.graph import ATTRIBUTE_FIELDS, DOMAINS
from device_profiles.graphs.group_network import as_network
from device_profiles.graphs.groups import is_group
from device_profiles.graphs.messages import (
    AttributeProto,
    Dimension,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    TensorProto,
    TensorShapeProto,
    TensorType,
    TypeProto,
    ValueInfoProto,
)
from device_profiles.graphs.modern import modern
from device_profiles.graphs.tensors import NUMBERS, from_array, numpy_dtype, raw_tensor
from device_profiles.operators import AttributeValue, Network, Node, Operator, Tensor

#: Written into every model made here; newer defaults of the onnx package are refused by released runtimes.
IR_VERSION, OPSET = 10, 20

#: Random weights repeat after this many; two weights of one model begin at one of so many places.
_STRETCH, _STARTS = 65536, 4096

_ATTRIBUTE_TYPES = {field: number for number, field in ATTRIBUTE_FIELDS.items()}


def operator_model(operator: Operator, copies: int = 1, seed: int = 0) -> bytes:
    """An ONNX model that holds one operator `copies` times, side by side.

    All copies read the same inputs; each has weights and an output of its own, so that nothing is shared that a network would not
    share. Many copies make the cost of the call itself negligible. Weights are random and scaled to keep activations near one.
    """
    if is_group(operator):
        return network_model(as_network(operator, copies), seed=seed)
    rng, operator = np.random.default_rng(seed), modern(operator)
    inputs: dict[str, Tensor] = {}
    nodes, weights = [], []
    for copy in range(copies):
        names: list[str] = []
        for position, tensor in enumerate(operator.inputs):
            if tensor is None:
                names.append("")
            elif tensor.constant:
                names.append(f"w{position}_{copy}")
                weights.append(weight_tensor(names[-1], tensor, operator, position, rng))
            else:
                names.append(f"x{position}")
                inputs[names[-1]] = tensor
        nodes.append(_node(operator, f"n{copy}", names, [f"y{copy}_{i}" for i in range(len(operator.outputs))]))
    outputs = {f"y{copy}_{i}": tensor for copy in range(copies) for i, tensor in enumerate(operator.outputs)}
    return _model("operator", nodes, inputs, outputs, weights)


def network_model(network: Network, weights: Mapping[str, np.ndarray[Any, Any]] | None = None, seed: int = 0) -> bytes:
    """An ONNX model of a network of standard operators; weights not given in `weights` by name are random.

    Random weights are scaled so that activations neither vanish nor overflow: denormal numbers would change the time.
    """
    rng = np.random.default_rng(seed)
    produced: dict[str, Tensor] = {}
    constants: dict[str, TensorProto] = {}
    nodes = []
    for node in network.nodes:
        operator = modern(node.operator)
        inputs = _input_names(node, operator)
        for position, (name, tensor) in enumerate(zip(inputs, operator.inputs, strict=True)):
            if tensor is not None and tensor.constant and name not in constants:
                given = None if weights is None else weights.get(name)
                if given is not None and tuple(given.shape) != tensor.shape:
                    raise InputError(f"weight {name!r} has shape {tuple(given.shape)}, the network needs {tensor.shape}")
                proto = weight_tensor(name, tensor, operator, position, rng) if given is None else from_array(given, name)
                constants[name] = proto
        produced.update(zip(node.outputs, operator.outputs, strict=True))
        nodes.append(_node(operator, node.name, inputs, list(node.outputs)))
    outputs = {name: produced[name] for name in network.outputs}
    return _model(network.name, nodes, dict(network.inputs), outputs, list(constants.values()))


def _input_names(node: Node, operator: Operator) -> list[str]:
    """The names of a node's inputs; those that were attributes in its file are named after the node's first output, which is unique."""
    names = [*node.inputs, *[""] * (len(operator.inputs) - len(node.inputs))]
    added = [f"{node.outputs[0]}.input{position}" for position in range(len(names))]
    return ["" if tensor is None else name or new for name, new, tensor in zip(names, added, operator.inputs, strict=True)]


def _node(operator: Operator, name: str, inputs: list[str], outputs: list[str]) -> NodeProto:
    prefix, _, kind = operator.kind.rpartition(".")
    node = NodeProto(input=inputs, output=outputs, name=name, op_type=kind)
    if prefix:
        node.domain = DOMAINS.get(prefix, prefix)
    node.attribute = [_attribute(attribute, value) for attribute, value in operator.attributes]
    return node


def _attribute(name: str, value: AttributeValue) -> AttributeProto:
    values = [v.encode() if isinstance(v, str) else v for v in (value if isinstance(value, tuple) else (value,))]
    if any(isinstance(v, bytes) for v in values):
        field = "s"
    elif any(isinstance(v, float) for v in values):
        field, values = "f", [float(v) for v in values]
    else:
        field = "i"
    if not isinstance(value, tuple):
        return AttributeProto(name=name, type=_ATTRIBUTE_TYPES[field], **{field: values[0]})
    field = {"s": "strings", "f": "floats", "i": "ints"}[field]
    return AttributeProto(name=name, type=_ATTRIBUTE_TYPES[field], **{field: values})


def _value(name: str, tensor: Tensor) -> ValueInfoProto:
    shape = TensorShapeProto(dim=[Dimension(dim_value=d) for d in tensor.shape])
    return ValueInfoProto(name=name, type=TypeProto(tensor_type=TensorType(elem_type=NUMBERS[tensor.dtype], shape=shape)))


def _model(name: str, nodes: list[NodeProto], inputs: dict[str, Tensor], outputs: dict[str, Tensor], weights: list[TensorProto]) -> bytes:
    graph = GraphProto(node=nodes, name=name, initializer=weights)
    graph.input, graph.output = [[_value(n, t) for n, t in values.items()] for values in (inputs, outputs)]
    domains = sorted({node.domain for node in nodes if node.domain})
    opsets = [OperatorSetIdProto(domain="", version=OPSET)] + [OperatorSetIdProto(domain=domain, version=1) for domain in domains]
    data = ModelProto(ir_version=IR_VERSION, producer_name="hwnas", graph=graph, opset_import=opsets).encode()
    if len(data) >= 2**31:
        raise InputError(f"{name}: a model of {len(data) / 1e9:.1f} GB cannot be written as one ONNX file (the limit is 2 GB)")
    return data


def weight_tensor(name: str, tensor: Tensor, operator: Operator, position: int, rng: np.random.Generator) -> TensorProto:
    """Random content for a constant (its own values where it keeps them), scaled by the number of inputs that each output sums."""
    dtype = numpy_dtype(tensor.dtype)
    if tensor.values is not None and dtype is not None:
        return from_array(np.array(tensor.values).astype(dtype).reshape(tensor.shape), name)
    if dtype is None:
        return raw_tensor(name, tensor.shape, tensor.dtype, _random_bytes(name, tensor, rng))
    if tensor.dtype in ("int8", "uint8") and len(tensor.shape) < 2:  # a zero point: kernels take a slower way for others than 0
        return from_array(np.zeros(tensor.shape, dtype), name)
    if dtype.kind in "iub":
        return from_array(rng.integers(0, _above_all(operator, tensor, position), tensor.shape).astype(dtype), name)
    kind = operator.base_kind
    # A stretch of the same random numbers, repeated: drawing every weight of a large network would take longer than timing it.
    start = int(rng.integers(_STARTS))
    array: np.ndarray[Any, Any] = np.resize(_numbers()[start : start + min(tensor.size, _STRETCH)], tensor.shape)
    if kind == "BatchNormalization":
        array = np.abs(array) + 0.5
    elif len(tensor.shape) >= 2:
        fan_in = tensor.shape[0] if kind in ("MatMul", "ConvTranspose") and position == 1 else tensor.size // tensor.shape[0]
        array *= np.sqrt(2.0 / max(fan_in, 1))
    elif any(t is not None and t.dtype in ("int8", "uint8") for t in operator.inputs):
        array = np.full_like(array, 0.05)  # the scale of a quantised tensor, which kernels want positive and not too uneven
    else:
        array *= 0.1
    return from_array(array.astype(dtype, copy=False), name)


def _above_all(operator: Operator, tensor: Tensor, position: int) -> int | np.ndarray[Any, Any]:
    """What whole numbers stay below, to broadcast against `tensor`: indices point into what they index, anything else is 0 or 1."""
    data, kind = operator.inputs[0], operator.base_kind
    if position != 1 or data is None or not data.shape:
        return 2
    if kind in ("Gather", "GatherElements", "ScatterElements"):
        return max(data.shape[int(operator.attribute("axis", 0))], 1)
    if kind in ("GatherND", "ScatterND"):
        first = operator.attribute("batch_dims", 0)
        return np.array([max(size, 1) for size in data.shape[first : first + tensor.shape[-1]]])
    return 2


@cache
def _numbers() -> np.ndarray[Any, Any]:
    """Normal numbers to take weights from."""
    return np.random.default_rng(0).standard_normal(_STRETCH + _STARTS).astype(np.float32)


def _random_bytes(name: str, tensor: Tensor, rng: np.random.Generator) -> bytes:
    """Content for types that numpy does not have: legal finite numbers of small size."""
    if tensor.dtype == "bfloat16":
        return bytes((rng.standard_normal(tensor.size).astype("<f4") * 0.1).view("<u4").__rshift__(16).astype("<u2").tobytes())
    if tensor.dtype in ("int4", "uint4", "float4e2m1"):
        return bytes(rng.integers(0, 2, (tensor.size + 1) // 2, dtype=np.uint8).tobytes())
    if tensor.dtype.startswith("float8"):
        return bytes(rng.integers(0x28, 0x38, tensor.size, dtype=np.uint8).tobytes())
    raise InputError(f"weight {name!r} is of type {tensor.dtype}, for which no content can be made")
