"""ONNX graphs to networks, without the onnx package: used on the host and on the target alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from device_profiles.errors import InputError
from device_profiles.graphs.codec import decode
from device_profiles.graphs.messages import ModelProto, TensorProto
from device_profiles.graphs.tensors import DTYPES, has_data, to_array
from device_profiles.graphs.wire import Buffer
from device_profiles.operators import MAX_VALUES, AttributeValue, Network, Node, Operator, Tensor

#: Short prefixes of kinds, and the operator-set domains they stand for.
DOMAINS = {"nchwc": "com.microsoft.nchwc", "microsoft": "com.microsoft", "ml": "ai.onnx.ml"}
_SHORT = {domain: short for short, domain in DOMAINS.items()}

#: Attribute values that change nothing, left out so that exporters that write them and exporters that do not give equal keys.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "auto_pad": ("NOTSET",), "group": (1,), "transA": (0,), "transB": (0,), "ceil_mode": (0,),
    "count_include_pad": (0,), "storage_order": (0,), "allowzero": (0,), "training_mode": (0,), "momentum": (0.9,),
}  # fmt: skip
#: Kinds that scale by 1 unless told otherwise; to others, such as HardSigmoid and QuickGelu, a factor of 1 is as special as any.
_SCALED = frozenset({"Gemm", "MatMul", "FusedGemm", "FusedMatMul", "TransposeMatMul", "QGemm", "Elu", "Celu", "ThresholdedRelu", "Swish"})
_NEUTRAL_LISTS = {"dilations": 1, "strides": 1, "pads": 0, "output_padding": 0}

#: Constant float inputs whose values decide what the kernel does, by kind: (input positions).
_VALUE_INPUTS = {"Clip": (1, 2), "Pad": (1, 2, 3), "Resize": (1, 2, 3), "Pow": (1,), "Upsample": (1,)}

#: Kinds whose default axis became -1 with an operator set.
_SOFTMAX, _SOFTMAX_OPSET = ("Softmax", "LogSoftmax", "Hardmax"), 13

#: AttributeProto.AttributeType: number -> the field that holds the value.
ATTRIBUTE_FIELDS = {
    1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings", 9: "tensors", 10: "graphs",
}  # fmt: skip

_TENSOR, _NUMBER_LISTS, _LISTS = 4, frozenset({6, 7}), frozenset({6, 7, 8, 9, 10})


def parse(data: Buffer) -> ModelProto:
    """The model in `data`. Raises InputError when it is no ONNX model with at least one node."""
    model = decode(ModelProto, data)
    refuse_empty(model)
    return model


def refuse_empty(model: Any) -> None:
    """Raises InputError for a model without nodes or without an operator set; `model` is a message of ours or of the onnx package."""
    if not model.HasField("graph") or not model.graph.node:
        raise InputError("not an ONNX model: it has no graph with nodes")
    if not model.opset_import:
        raise InputError("not a complete ONNX model: it names no operator set")


def name_nodes(data: bytes) -> bytes:
    """The model with a unique name on every node: a runtime reports by name, and unnamed nodes would fall into one."""
    model = parse(data)
    names = [node.name for node in model.graph.node]
    if all(names) and len(set(names)) == len(names):
        return data
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.name or node.op_type}_{index}"
    return model.encode()


def _value_tensor(value: Any) -> Tensor | None:
    tensor = value.type.tensor_type if value.type is not None else None
    if tensor is None or not tensor.HasField("shape"):
        return None
    shape = tuple([dim.dim_value for dim in tensor.shape.dim])
    if 0 in shape and not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return Tensor(shape, DTYPES.get(tensor.elem_type, "float32"))


def constant_tensor(proto: TensorProto) -> Tensor:
    """A constant: shape and type, and its values when it is small and its data is there."""
    tensor = Tensor(tuple(proto.dims), DTYPES.get(proto.data_type, "float32"), constant=True)
    if tensor.size > MAX_VALUES or not has_data(proto) or tensor.dtype not in ("int64", "int32", "float32", "bool"):
        return tensor
    return Tensor(tensor.shape, tensor.dtype, constant=True, values=tuple(to_array(proto).ravel().tolist()))


def known_tensors(model: Any) -> dict[str, Tensor]:
    """The tensors of all values whose shapes the model states, by name; `model` is a message of ours or of the onnx package."""
    known: dict[str, Tensor] = {}
    for value in (*model.graph.value_info, *model.graph.output, *model.graph.input):
        tensor = _value_tensor(value)
        if tensor is not None:
            known[value.name] = tensor
    return known


@dataclass
class Trace:
    """What a graph holds beside its Network.

    `tensors`: all values by name, small constants with their content, which a Network keeps only where it decides what a kernel does;
    `folded`: the nodes that depend on constants alone, in order.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    folded: list[Node] = field(default_factory=list)
    #: The operator set that the file is written in.
    opset: int = 0
    #: Whether callers may give some of the constants anew, so that nothing can be computed from them.
    overridable: bool = False


def graph_network(
    model: Any,
    known: Mapping[str, Tensor],
    name: str,
    constant: Callable[[Any], Tensor] = constant_tensor,
    trace: Trace | None = None,
) -> Network:
    """The graph of `model`, a message of ours or of the onnx package, as a Network; `known` gives the tensors of inputs and results.

    `constant` reads the constants of the model; `trace` is filled on the way. Raises InputError that names the first node whose shapes
    are not known.
    """
    graph = model.graph
    tensors = {} if trace is None else trace.tensors
    tensors.update(known)
    tensors.update((proto.name, constant(proto)) for proto in graph.initializer)
    read = {value for node in graph.node for value in node.input} | {value.name for value in graph.output}
    nodes: list[Node] = []
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), _SOFTMAX_OPSET)
    for index, proto in enumerate(graph.node):
        if proto.op_type == "Constant" and proto.output:
            tensors[proto.output[0]] = _constant_node(proto, constant)
            continue
        kind = f"{_SHORT[proto.domain]}.{proto.op_type}" if proto.domain in _SHORT else proto.op_type
        inputs, outputs = tuple(proto.input), _read_outputs(proto, read)
        for value in (*filter(None, inputs), *outputs):
            if value not in tensors:
                raise InputError(
                    f"the shape of {value!r} at node {proto.name or index!r} ({kind}) is not known; fix its dynamic dimensions"
                )
        if inputs and all(tensors[value].constant for value in inputs if value) and not proto.op_type.startswith("Random"):
            # Computed once when the session is made: every runtime folds what depends on constants alone.
            tensors.update({value: Tensor(tensors[value].shape, tensors[value].dtype, constant=True) for value in outputs})
            into = None if trace is None else trace.folded
        else:
            into = nodes
        if into is not None:
            operands = tuple(operand(kind, position, tensors[value]) if value else None for position, value in enumerate(inputs))
            attributes = tuple(sorted([*_attributes(proto), *_old_default(proto, opset)]))
            operator = Operator(kind, operands, tuple(tensors[value] for value in outputs), attributes)
            into.append(Node(operator, proto.name or f"{proto.op_type}_{index}", inputs, outputs))
    if not nodes:
        raise InputError("the graph computes nothing: all of its nodes are constants")
    return Network(tuple(nodes), _graph_inputs(graph, tensors), tuple(value.name for value in graph.output), name)


def _graph_inputs(graph: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    constants = {proto.name for proto in graph.initializer}
    found = {value.name: tensors.get(value.name) for value in graph.input if value.name not in constants}
    unknown = next((name for name, tensor in found.items() if tensor is None), None)
    if unknown is not None:
        raise InputError(f"the shape of input {unknown!r} is not known; fix its dynamic dimensions")
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _read_outputs(proto: Any, read: set[str]) -> tuple[str, ...]:
    """The outputs without those at the end that nobody reads, such as the mask of a dropout at inference."""
    outputs = list(proto.output)
    while len(outputs) > 1 and outputs[-1] not in read:
        outputs.pop()
    return tuple(value for value in outputs if value)


def operand(kind: str, position: int, tensor: Tensor) -> Tensor:
    """A tensor as an input: values are kept only where they decide what the kernel does; a bias that happens to be short is a weight."""
    if tensor.values is None or tensor.dtype in ("int64", "bool") or position in _VALUE_INPUTS.get(kind.rsplit(".", 1)[-1], ()):
        return tensor
    return Tensor(tensor.shape, tensor.dtype, constant=True)


def attribute_value(attribute: Any) -> Any:
    """The value of an attribute. Raises InputError for one that refers to a function's or has a type that is not read."""
    if attribute.type not in ATTRIBUTE_FIELDS:
        raise InputError(f"attribute {attribute.name!r} has type {attribute.type}, which is not read")
    return getattr(attribute, ATTRIBUTE_FIELDS[attribute.type])


def _constant_node(proto: Any, constant: Callable[[Any], Tensor]) -> Tensor:
    if proto.attribute and proto.attribute[0].type == _TENSOR:
        return constant(proto.attribute[0].t)
    value = attribute_value(proto.attribute[0]) if proto.attribute else None
    many = bool(proto.attribute) and proto.attribute[0].type in _LISTS
    values: tuple[Any, ...] = tuple(value or ()) if many else (value,)
    shape = (len(values),) if many else ()
    dtype = "float32" if any(isinstance(v, float) for v in values) else "int64" if all(isinstance(v, int) for v in values) else "string"
    return Tensor(shape, dtype, constant=True, values=values if len(values) <= MAX_VALUES and dtype != "string" else None)


def _plain(value: Any) -> Any:
    """A value that JSON and keys can hold: tensors and graphs are named by what they are."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, int | float) else f"<{type(value).__name__}>"


def _old_default(proto: Any, opset: int) -> list[tuple[str, AttributeValue]]:
    """The axis of a softmax that does not state it, where the operator set of its file means another one than newer sets."""
    stated = any(attribute.name == "axis" for attribute in proto.attribute)
    return [("axis", 1)] if proto.op_type in _SOFTMAX and not proto.domain and not stated and opset < _SOFTMAX_OPSET else []


def _attributes(proto: Any) -> Iterable[tuple[str, AttributeValue]]:
    for attribute in proto.attribute:
        value = attribute_value(attribute)
        kind = attribute.type
        plain = tuple(value) if kind in _NUMBER_LISTS else tuple(map(_plain, value)) if kind in _LISTS else _plain(value)
        if not neutral(proto.op_type, attribute.name, plain):
            yield attribute.name, plain


def neutral(kind: str, name: str, value: AttributeValue) -> bool:
    """Whether an attribute of this name and value changes nothing for an operator of this kind, its domain left out."""
    if name in ("alpha", "beta"):
        return value == 1.0 and kind in _SCALED
    if kind == "MatMulBnb4":  # its weights are transposed unless it says otherwise
        return False
    if name in _NEUTRAL_LISTS and isinstance(value, tuple):
        return all(v == _NEUTRAL_LISTS[name] for v in value)
    return value in _NEUTRAL.get(name, ())
