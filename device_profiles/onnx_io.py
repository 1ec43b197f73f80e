"""ONNX files to networks on the host: shapes are inferred by the onnx package; weights are neither read nor needed.

Reading graphs and writing models needs no onnx package: see `graph.py` and `models.py`, whose functions can be had here too.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.numpy_helper
from google.protobuf.message import DecodeError

from device_profiles.errors import InputError
from device_profiles.graphs.codec import decode
from device_profiles.graphs.graph import Trace, constant_tensor, graph_network, known_tensors, name_nodes, parse, refuse_empty
from device_profiles.graphs.messages import Dimension, TensorProto
from device_profiles.graphs.models import IR_VERSION, OPSET, network_model, operator_model
from device_profiles.graphs.shapes import computed
from device_profiles.graphs.tensors import DTYPES
from device_profiles.graphs.wire import strip_weights
from device_profiles.operators import MAX_VALUES, Network, Tensor
from device_profiles.validate import MAX_RANK, validate

__all__ = ["IR_VERSION", "OPSET", "name_nodes", "network_model", "one_line", "operator_model", "parse", "read_network", "with_shapes"]

#: The types of constants whose content is kept when they are small.
_KEPT = {name: np.dtype(name).newbyteorder("<") for name in ("int64", "int32", "float32", "bool")}


def read_network(source: str | os.PathLike[str] | bytes, dims: Mapping[str, int] | None = None) -> Network:
    """The network in an ONNX file (or in its bytes), as written: nothing is fused, weights are not loaded.

    A symbolic first dimension of an input (the batch) is taken as 1; other symbolic dimensions must be given by name in `dims`.
    Raises InputError, in one line, for a file that is missing, empty, truncated, not ONNX, of unknown shape or inconsistent.
    """
    return read_traced(source, dims)[0]


def read_traced(source: str | os.PathLike[str] | bytes, dims: Mapping[str, int] | None = None) -> tuple[Network, Trace]:
    """`read_network`, and what the file holds beside the Network: see `Trace`."""
    name = "model" if isinstance(source, bytes) else Path(source).stem
    label = "model" if isinstance(source, bytes) else str(source)
    trace = Trace()
    try:
        model = _message(strip_weights(source) if isinstance(source, bytes) else strip_file(Path(source)))
        _check_opset(model)
        fix_dims(model, dims or {})
        inferred, known = _inferred(model)
        trace.opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), OPSET)
        trace.overridable = model.ir_version > 3 and bool({v.name for v in model.graph.input} & {t.name for t in model.graph.initializer})
        network = graph_network(inferred, known, name, _constant, trace)
        validate(network)
    except InputError as error:
        raise InputError(f"{label}: {error}") from error
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise InputError(f"{label}: shapes do not fit together: {one_line(error)}") from error
    return network, trace


def with_shapes(data: bytes) -> bytes:
    """The model with fixed dimensions and the shapes of all values stated in it, so that it can be read where there is no onnx package.

    Raises InputError when its shapes do not fit together.
    """
    model = parse(data)
    fix_dims(model, {})
    try:
        inferred, _ = _inferred(onnx.ModelProto.FromString(strip_weights(model.encode())))
        model.graph.value_info = parse(inferred.SerializeToString()).graph.value_info
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise InputError(f"shapes do not fit together: {one_line(error)}") from error
    return model.encode()


def _message(data: bytes) -> onnx.ModelProto:
    """A model as a message of the onnx package, which reads it many times faster than `parse` does."""
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        parse(data)  # says what is wrong
        raise InputError(f"not an ONNX file: {one_line(error)}") from error
    refuse_empty(model)
    assert isinstance(model, onnx.ModelProto)
    return model


def _constant(proto: onnx.TensorProto) -> Tensor:
    """`constant_tensor` of a message of the onnx package."""
    shape, dtype = tuple(proto.dims), DTYPES.get(proto.data_type, "float32")
    size = math.prod(shape)
    if size > MAX_VALUES or dtype not in _KEPT:
        return Tensor(shape, dtype, constant=True)
    if len(proto.raw_data) == size * _KEPT[dtype].itemsize and not proto.data_location:
        return Tensor(shape, dtype, True, tuple(np.frombuffer(proto.raw_data, _KEPT[dtype]).tolist()))
    return constant_tensor(decode(TensorProto, proto.SerializeToString()))


def _inferred(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, Tensor]]:
    """The model with the shapes that follow from those of its inputs, and the tensors of the values of known shape.

    Where shape inference does not follow how a size is computed inside the graph, the sizes are computed and inference goes on.
    """
    inferred = _infer(model)
    known = known_tensors(inferred)
    unknown = _unknown(inferred, known)
    while unknown:
        found = computed(inferred, known, _content)
        if not found:
            break
        inferred = _infer(_with_constants(inferred, found))
        known = known_tensors(inferred)
        before, unknown = unknown, _unknown(inferred, known)
        if unknown >= before:
            break
    return inferred, known


def _infer(model: onnx.ModelProto) -> onnx.ModelProto:
    # Following values, inference would write down every number of a Range, were it a billion; without, sizes are computed by `shapes`.
    following = not any(node.op_type == "Range" for node in model.graph.node) and not model.functions
    inferred: onnx.ModelProto = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=following)
    return inferred


def _unknown(model: onnx.ModelProto, known: Mapping[str, Tensor]) -> int:
    """How many values that nodes make have no known shape."""
    return sum(value not in known for node in model.graph.node if node.op_type != "Constant" for value in node.output if value)


def _with_constants(model: onnx.ModelProto, values: Mapping[str, npt.NDArray[Any]]) -> onnx.ModelProto:
    """The model with constants in place of the nodes that compute these values."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    kept = [node for node in model.graph.node if len(node.output) != 1 or node.output[0] not in values]
    stated = [value for value in model.graph.value_info if value.name not in values]
    del changed.graph.node[:]
    del changed.graph.value_info[:]
    changed.graph.node.extend(kept)
    changed.graph.value_info.extend(stated)
    changed.graph.initializer.extend(onnx.numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n) for n, a in values.items())
    return changed


def _content(proto: onnx.TensorProto) -> npt.NDArray[Any] | None:
    """The content of a small constant."""
    tensor = _constant(proto)
    return None if tensor.values is None else np.array(tensor.values, np.dtype(tensor.dtype)).reshape(tensor.shape)


def strip_file(path: Path) -> bytes:
    """The model in a file without the data of its large tensors, which are not even read. Raises InputError when it cannot be read."""
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


def _check_opset(model: Any) -> None:
    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version > newest:
            raise InputError(
                f"operator set {entry.version} is newer than the installed onnx knows ({newest}); upgrade onnx or export with {OPSET}"
            )


def fix_dims(model: Any, dims: Mapping[str, int]) -> None:
    """Gives every symbolic dimension of the inputs its value, in place; a batch that is not given is 1.

    `model` is a message of ours or of the onnx package.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    symbols: dict[str, int] = dict(dims)
    for value in model.graph.input:
        if value.name in constants:
            continue
        if not _has_shape(value):
            raise InputError(f"input {value.name!r} has no shape; only tensors of known shape can be priced")
        if len(value.type.tensor_type.shape.dim) > MAX_RANK:
            raise InputError(f"input {value.name!r} has {len(value.type.tensor_type.shape.dim)} dimensions; at most {MAX_RANK} are read")
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_value > 0:
                continue
            symbol = dim.dim_param or f"{value.name}.{index}"
            if symbol not in symbols and index > 0:
                raise InputError(f"dimension {index} of input {value.name!r} is not fixed; give it a value, for example {symbol}=224")
            _fix(dim, symbols.setdefault(symbol, 1))
    if not symbols:
        return
    for value in (*model.graph.output, *model.graph.value_info):
        if _has_shape(value):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param in symbols:
                    _fix(dim, symbols[dim.dim_param])


def _has_shape(value: Any) -> bool:
    return bool(value.HasField("type") and value.type.HasField("tensor_type") and value.type.tensor_type.HasField("shape"))


def _fix(dim: Any, value: int) -> None:
    if isinstance(dim, Dimension):
        dim.fix(value)
    else:
        dim.dim_value = value
