"""ONNX files to networks, and networks and operators to ONNX models; weights are neither read nor needed."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from device_profiles.errors import InputError
from device_profiles.operators import MAX_VALUES, AttributeValue, Network, Node, Operator, Tensor
from device_profiles.validate import validate
from device_profiles.wire import strip_weights

#: Written into every model made here; newer defaults of the onnx package are refused by released runtimes.
IR_VERSION, OPSET = 10, 20

#: Short prefixes of kinds, and the operator-set domains they stand for.
DOMAINS = {"nchwc": "com.microsoft.nchwc", "microsoft": "com.microsoft", "ml": "ai.onnx.ml"}
_SHORT = {domain: short for short, domain in DOMAINS.items()}

_DTYPES: dict[int, str] = {number: name.lower() for name, number in TensorProto.DataType.items()}
_DTYPES[TensorProto.FLOAT], _DTYPES[TensorProto.DOUBLE] = "float32", "float64"
_NUMBERS = {name: number for number, name in _DTYPES.items()}

#: Attribute values that change nothing, left out so that exporters that write them and exporters that do not give equal keys.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "auto_pad": ("NOTSET",), "group": (1,), "alpha": (1.0,), "beta": (1.0,), "transA": (0,), "transB": (0,), "ceil_mode": (0,),
    "count_include_pad": (0,), "storage_order": (0,), "allowzero": (0,), "training_mode": (0,), "momentum": (0.9,),
}  # fmt: skip
_NEUTRAL_LISTS = {"dilations": 1, "strides": 1, "pads": 0, "output_padding": 0}

#: Constant float inputs whose values decide what the kernel does, by kind: (input positions).
_VALUE_INPUTS = {"Clip": (1, 2), "Pad": (1, 2, 3), "Resize": (1, 2, 3), "Pow": (1,), "Upsample": (1,)}


def read_network(source: str | os.PathLike[str] | bytes, dims: Mapping[str, int] | None = None) -> Network:
    """The network in an ONNX file (or in its bytes), as written: nothing is fused, weights are not loaded.

    A symbolic first dimension of an input (the batch) is taken as 1; other symbolic dimensions must be given by name in `dims`.
    Raises InputError, in one line, for a file that is missing, empty, truncated, not ONNX, of unknown shape or inconsistent.
    """
    name = "model" if isinstance(source, bytes) else Path(source).stem
    label = "model" if isinstance(source, bytes) else str(source)
    try:
        model = parse(strip_weights(source) if isinstance(source, bytes) else _strip_file(Path(source)))
        _fix_dims(model, dims or {})
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        network = graph_network(inferred, known_tensors(inferred), name)
        validate(network)
    except InputError as error:
        raise InputError(f"{label}: {error}") from error
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise InputError(f"{label}: shapes do not fit together: {one_line(error)}") from error
    return network


def _strip_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise InputError("the file is empty; an ONNX model is wanted")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                return strip_weights(view)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error


def one_line(error: BaseException, limit: int = 200) -> str:
    """The message of an error on one line of at most `limit` characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def name_nodes(data: bytes) -> bytes:
    """The model with a unique name on every node: a runtime reports by name, and unnamed nodes would fall into one."""
    model = parse(data)
    names = [node.name for node in model.graph.node]
    if all(names) and len(set(names)) == len(names):
        return data
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.name or node.op_type}_{index}"
    return bytes(model.SerializeToString())


def parse(data: bytes) -> onnx.ModelProto:
    """The model in `data`. Raises InputError when it is no ONNX model with at least one node."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise InputError("not an ONNX file: it cannot be decoded") from error
    if not model.HasField("graph") or not model.graph.node:
        raise InputError("not an ONNX model: it has no graph with nodes")
    if not model.opset_import:
        raise InputError("not a complete ONNX model: it names no operator set")
    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version > newest:
            raise InputError(
                f"operator set {entry.version} is newer than the installed onnx knows ({newest}); upgrade onnx or export with {OPSET}"
            )
    return model


def _fix_dims(model: onnx.ModelProto, dims: Mapping[str, int]) -> None:
    constants = {tensor.name for tensor in model.graph.initializer}
    symbols: dict[str, int] = dict(dims)
    for value in model.graph.input:
        if value.name in constants:
            continue
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise InputError(f"input {value.name!r} has no shape; only tensors of known shape can be priced")
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            symbol = dim.dim_param or f"{value.name}.{index}"
            if symbol not in symbols and index > 0:
                raise InputError(f"dimension {index} of input {value.name!r} is not fixed; give it a value, for example {symbol}=224")
            dim.dim_value = symbols.setdefault(symbol, 1)
    for value in (*model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in symbols:
                dim.dim_value = symbols[dim.dim_param]


def _value_tensor(value: onnx.ValueInfoProto) -> Tensor | None:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    shape = value.type.tensor_type.shape.dim
    if not all(dim.HasField("dim_value") for dim in shape):
        return None
    return Tensor(tuple(dim.dim_value for dim in shape), _DTYPES.get(value.type.tensor_type.elem_type, "float32"))


def constant_tensor(proto: onnx.TensorProto) -> Tensor:
    """A constant: shape and type, and its values when it is small and its data is there."""
    shape, dtype = tuple(proto.dims), _DTYPES.get(proto.data_type, "float32")
    size = int(np.prod(shape, dtype=np.int64))
    has_data = bool(proto.raw_data or proto.float_data or proto.int64_data or proto.int32_data or proto.double_data) or size == 0
    if (
        size > MAX_VALUES
        or not has_data
        or dtype not in ("int64", "int32", "float32", "bool")
        or proto.data_location == TensorProto.EXTERNAL
    ):
        return Tensor(shape, dtype, constant=True)
    return Tensor(shape, dtype, constant=True, values=tuple(numpy_helper.to_array(proto).ravel().tolist()))


def known_tensors(model: onnx.ModelProto) -> dict[str, Tensor]:
    """The tensors of all values whose shapes the model states, by name."""
    known: dict[str, Tensor] = {}
    for value in (*model.graph.value_info, *model.graph.output, *model.graph.input):
        tensor = _value_tensor(value)
        if tensor is not None:
            known[value.name] = tensor
    return known


def graph_network(model: onnx.ModelProto, known: Mapping[str, Tensor], name: str) -> Network:
    """The graph of `model` as a Network; `known` gives the tensors of inputs and produced values by name.

    Raises InputError that names the first node whose shapes are not known.
    """
    graph = model.graph
    tensors = {**known, **{proto.name: constant_tensor(proto) for proto in graph.initializer}}
    constants = {proto.name for proto in graph.initializer}
    read = {value for node in graph.node for value in node.input} | {value.name for value in graph.output}
    nodes: list[Node] = []
    for index, proto in enumerate(graph.node):
        if proto.op_type == "Constant" and proto.output:
            tensors[proto.output[0]] = _constant_node(proto)
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
            continue
        operator = Operator(
            kind,
            tuple(_operand(kind, position, tensors[value]) if value else None for position, value in enumerate(inputs)),
            tuple(tensors[value] for value in outputs),
            tuple(sorted(_attributes(proto))),
        )
        nodes.append(Node(operator, proto.name or f"{proto.op_type}_{index}", inputs, outputs))
    if not nodes:
        raise InputError("the graph computes nothing: all of its nodes are constants")
    graph_inputs = {value.name: tensors[value.name] for value in graph.input if value.name not in constants}
    return Network(tuple(nodes), graph_inputs, tuple(value.name for value in graph.output), name)


def _read_outputs(proto: onnx.NodeProto, read: set[str]) -> tuple[str, ...]:
    """The outputs without those at the end that nobody reads, such as the mask of a dropout at inference."""
    outputs = list(proto.output)
    while len(outputs) > 1 and outputs[-1] not in read:
        outputs.pop()
    return tuple(value for value in outputs if value)


def _operand(kind: str, position: int, tensor: Tensor) -> Tensor:
    """Values are kept only where they decide what the kernel does; a bias that happens to be short is still a weight."""
    if tensor.values is None or tensor.dtype in ("int64", "bool") or position in _VALUE_INPUTS.get(kind.rsplit(".", 1)[-1], ()):
        return tensor
    return Tensor(tensor.shape, tensor.dtype, constant=True)


def _constant_node(proto: onnx.NodeProto) -> Tensor:
    attribute = proto.attribute[0]
    value = helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return constant_tensor(value)
    array = np.asarray(value)
    dtype = "int64" if array.dtype.kind == "i" else "float32" if array.dtype.kind == "f" else "string"
    return Tensor(
        array.shape, dtype, constant=True, values=tuple(array.ravel().tolist()) if array.size <= MAX_VALUES and dtype != "string" else None
    )


def _attributes(proto: onnx.NodeProto) -> Iterable[tuple[str, AttributeValue]]:
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, onnx.TensorProto | onnx.GraphProto):
            value = f"<{type(value).__name__}>"
        elif isinstance(value, Iterable) and not isinstance(value, str):
            value = tuple(
                v.decode("utf-8", "replace") if isinstance(v, bytes) else v if isinstance(v, int | float | str) else f"<{type(v).__name__}>"
                for v in value
            )
        if value in _NEUTRAL.get(attribute.name, ()):
            continue
        if attribute.name in _NEUTRAL_LISTS and isinstance(value, tuple) and all(v == _NEUTRAL_LISTS[attribute.name] for v in value):
            continue
        yield attribute.name, value


# ---------------------------------------------------------------------------------------------------------------- writing


def operator_model(operator: Operator, copies: int = 1, seed: int = 0) -> bytes:
    """An ONNX model that holds one operator `copies` times, side by side.

    All copies read the same inputs; each has weights and an output of its own, so that nothing is shared that a network would not
    share. Many copies make the cost of the call itself negligible. Weights are random and scaled to keep activations near one.
    """
    rng = np.random.default_rng(seed)
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
    constants: dict[str, onnx.TensorProto] = {}
    nodes = []
    for node in network.nodes:
        for position, (name, tensor) in enumerate(zip(node.inputs, node.operator.inputs, strict=True)):
            if tensor is not None and tensor.constant and name not in constants:
                given = None if weights is None else weights.get(name)
                if given is not None and tuple(given.shape) != tensor.shape:
                    raise InputError(f"weight {name!r} has shape {tuple(given.shape)}, the network needs {tensor.shape}")
                proto = weight_tensor(name, tensor, node.operator, position, rng) if given is None else numpy_helper.from_array(given, name)
                constants[name] = proto
        produced.update(zip(node.outputs, node.operator.outputs, strict=True))
        nodes.append(_node(node.operator, node.name, list(node.inputs), list(node.outputs)))
    outputs = {name: produced[name] for name in network.outputs}
    return _model(network.name, nodes, dict(network.inputs), outputs, list(constants.values()))


def _node(operator: Operator, name: str, inputs: list[str], outputs: list[str]) -> onnx.NodeProto:
    prefix, _, kind = operator.kind.rpartition(".")
    node = helper.make_node(kind, inputs, outputs, name=name, domain=DOMAINS.get(prefix, prefix))
    for attribute, value in operator.attributes:
        node.attribute.append(helper.make_attribute(attribute, list(value) if isinstance(value, tuple) else value))
    return node


def _value(name: str, tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _NUMBERS[tensor.dtype], tensor.shape)


def _model(
    name: str, nodes: list[onnx.NodeProto], inputs: dict[str, Tensor], outputs: dict[str, Tensor], weights: list[onnx.TensorProto]
) -> bytes:
    graph = helper.make_graph(nodes, name, [_value(n, t) for n, t in inputs.items()], [_value(n, t) for n, t in outputs.items()], weights)
    domains = sorted({node.domain for node in nodes if node.domain})
    opsets = [helper.make_opsetid("", OPSET)] + [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="hwnas")
    if model.ByteSize() >= 2**31:
        raise InputError(f"{name}: a model of {model.ByteSize() / 1e9:.1f} GB cannot be written as one ONNX file (the limit is 2 GB)")
    return bytes(model.SerializeToString())


def weight_tensor(name: str, tensor: Tensor, operator: Operator, position: int, rng: np.random.Generator) -> onnx.TensorProto:
    """Random content for a constant (its own values where it keeps them), scaled by the number of inputs that each output sums."""
    number = _NUMBERS[tensor.dtype]
    dtype = helper.tensor_dtype_to_np_dtype(number)
    if tensor.values is not None:
        return numpy_helper.from_array(np.array(tensor.values).astype(dtype).reshape(tensor.shape), name)
    kind = operator.base_kind
    if np.dtype(dtype).kind in "iub":
        return numpy_helper.from_array(rng.integers(0, 2, tensor.shape).astype(dtype), name)
    # A block of random numbers repeated: drawing every weight of a large network would take longer than timing it.
    pool = rng.standard_normal(min(tensor.size, 65536)).astype(np.float32)
    array: np.ndarray[Any, Any] = np.resize(pool, tensor.shape)
    if kind == "BatchNormalization":
        array = np.abs(array) + 0.5
    elif len(tensor.shape) >= 2:
        fan_in = tensor.shape[0] if kind in ("MatMul", "ConvTranspose") and position == 1 else tensor.size // tensor.shape[0]
        array *= np.sqrt(2.0 / max(fan_in, 1))
    else:
        array *= 0.1
    return numpy_helper.from_array(array.astype(dtype), name)
