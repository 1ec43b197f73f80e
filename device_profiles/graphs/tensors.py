"""Element types of ONNX, and constants as arrays, without the onnx package."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from device_profiles.graphs.codec import unpack
from device_profiles.graphs.messages import TensorProto

#: TensorProto.DataType: number -> our name.
DTYPES: dict[int, str] = dict(enumerate((
    "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64", "uint32",
    "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
    "float4e2m1",
)))  # fmt: skip
NUMBERS = {name: number for number, name in DTYPES.items()}

#: TensorProto.DataLocation.EXTERNAL: the data lies in another file.
EXTERNAL = 1

_STRING_DATA = 6  # a field of TensorProto that is kept but not understood

#: Types that numpy has itself.
_NUMPY = {
    "float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "complex64",
    "complex128",
}  # fmt: skip


def numpy_dtype(dtype: str) -> np.dtype[Any] | None:
    """The numpy type of an element type; None for those that numpy does not have (bfloat16, eight-bit floats, four-bit types, strings)."""
    return np.dtype(dtype).newbyteorder("<") if dtype in _NUMPY else None


def has_data(proto: TensorProto) -> bool:
    """Whether the constant holds its values: they may have been stripped, or lie in another file."""
    if proto.data_location == EXTERNAL:
        return False
    numbers = (proto.raw_data, proto.float_data, proto.int64_data, proto.int32_data, proto.double_data, proto.uint64_data)
    return any(numbers) or 0 in proto.dims or any(number == _STRING_DATA for number, _ in proto.others)


def to_array(proto: TensorProto) -> npt.NDArray[Any]:
    """The values of a constant. Raises InputError when their number is not that of the shape, or the type is one that is not read."""
    dtype = DTYPES.get(proto.data_type, "undefined")
    kind = numpy_dtype(dtype)
    if kind is None:
        raise InputError(f"the values of constant {proto.name!r} of type {dtype} are not read")
    try:
        if proto.raw_data:
            array = np.frombuffer(proto.raw_data, kind)
        elif dtype in ("float32", "float64"):
            array = np.frombuffer(proto.float_data if dtype == "float32" else proto.double_data, kind)
        else:
            numbers = unpack("int", proto.int64_data if dtype == "int64" else proto.int32_data)
            array = np.array(numbers, np.uint16).view(np.float16) if dtype == "float16" else np.array(numbers, np.int64).astype(kind)
        return array.reshape(proto.dims)
    except (ValueError, OverflowError) as error:
        raise InputError(f"the values of constant {proto.name!r} do not fill its shape {tuple(proto.dims)}") from error


def from_array(array: npt.NDArray[Any], name: str) -> TensorProto:
    """A constant that holds `array`. Raises InputError for a type that ONNX has not."""
    number = NUMBERS.get(array.dtype.name)
    if number is None or numpy_dtype(array.dtype.name) is None:
        raise InputError(f"weight {name!r} is of type {array.dtype}, which a model cannot hold")
    return raw_tensor(name, array.shape, array.dtype.name, array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())


def raw_tensor(name: str, shape: tuple[int, ...], dtype: str, raw: bytes) -> TensorProto:
    """A constant of these little-endian bytes."""
    return TensorProto(dims=list(shape), data_type=NUMBERS[dtype], name=name, raw_data=raw)
