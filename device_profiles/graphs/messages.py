"""The messages of an ONNX file, and writing them without the onnx package: a target board has none.

One table per message gives the fields that are used here; the others are kept as they are and written back. Names and numbers are those of
onnx/onnx.proto; a field that is absent has the default of its class, and `has(name)` tells the two apart.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from device_profiles.graphs.wire import BYTES, FIXED32, VARINT, encode_field, encode_varint

#: Kinds of scalar fields, and how they are written. `packed` is the content of a list of numbers, not decoded.
WIRE_TYPES = {"int": VARINT, "float": FIXED32, "text": BYTES, "bytes": BYTES}


class Message:
    """A message: attributes as in protobuf. `FIELDS` maps numbers to (name, kind); a kind that ends in `*` is repeated."""

    FIELDS: ClassVar[dict[int, tuple[str, str]]]

    def __init__(self, **values: Any) -> None:
        for name, kind in self.FIELDS.values():
            if kind.endswith("*"):
                setattr(self, name, [])
        self.others: list[tuple[int, bytes]] = []
        self.__dict__.update(values)

    def has(self, name: str) -> bool:
        """Whether the field is present, even with its default value."""
        return name in self.__dict__

    #: The name that protobuf gives it, so that graphs are read from messages of the onnx package by the same code.
    HasField = has

    def encode(self) -> bytes:
        """The message in wire format, fields in the order of their numbers."""
        parts = list(self.others)
        for number, (name, kind) in self.FIELDS.items():
            if kind.endswith("*"):
                parts.extend((number, _encode(number, kind[:-1], value)) for value in getattr(self, name))
            elif name in self.__dict__:
                parts.append((number, _encode(number, kind, getattr(self, name))))
        return b"".join(part for _, part in sorted(parts, key=lambda numbered: numbered[0]))


class Dimension(Message):
    """TensorShapeProto.Dimension."""

    FIELDS: ClassVar = {1: ("dim_value", "int"), 2: ("dim_param", "text")}
    dim_value: int = 0
    dim_param: str = ""

    def fix(self, value: int) -> None:
        """Gives the dimension a value in place of its symbol: a message holds one or the other."""
        self.__dict__.pop("dim_param", None)
        self.dim_value = value


class TensorShapeProto(Message):
    """The shape of a value."""

    FIELDS: ClassVar = {1: ("dim", "Dimension*")}
    dim: list[Dimension]


class TensorType(Message):
    """TypeProto.Tensor."""

    FIELDS: ClassVar = {1: ("elem_type", "int"), 2: ("shape", "TensorShapeProto")}
    elem_type: int = 0
    shape: TensorShapeProto | None = None


class TypeProto(Message):
    """The type of a value; only tensors are understood."""

    FIELDS: ClassVar = {1: ("tensor_type", "TensorType")}
    tensor_type: TensorType | None = None


class ValueInfoProto(Message):
    """The name and type of a value."""

    FIELDS: ClassVar = {1: ("name", "text"), 2: ("type", "TypeProto")}
    name: str = ""
    type: TypeProto | None = None


class TensorProto(Message):
    """A constant; the `*_data` are the packed content of their lists."""

    FIELDS: ClassVar = {
        1: ("dims", "int*"), 2: ("data_type", "int"), 4: ("float_data", "packed"), 5: ("int32_data", "packed"), 7: ("int64_data", "packed"),
        8: ("name", "text"), 9: ("raw_data", "bytes"), 10: ("double_data", "packed"), 11: ("uint64_data", "packed"),
        14: ("data_location", "int"),
    }  # fmt: skip
    dims: list[int]
    data_type: int = 0
    name: str = ""
    float_data: bytes = b""
    int32_data: bytes = b""
    int64_data: bytes = b""
    double_data: bytes = b""
    uint64_data: bytes = b""
    raw_data: bytes = b""
    data_location: int = 0


class AttributeProto(Message):
    """An attribute of a node; `type` says which field holds it."""

    FIELDS: ClassVar = {
        1: ("name", "text"), 2: ("f", "float"), 3: ("i", "int"), 4: ("s", "bytes"), 5: ("t", "TensorProto"), 6: ("g", "GraphProto"),
        7: ("floats", "float*"), 8: ("ints", "int*"), 9: ("strings", "bytes*"), 10: ("tensors", "TensorProto*"),
        11: ("graphs", "GraphProto*"), 20: ("type", "int"),
    }  # fmt: skip
    name: str = ""
    type: int = 0
    f: float = 0.0
    i: int = 0
    s: bytes = b""
    t: TensorProto | None = None
    g: GraphProto | None = None
    floats: list[float]
    ints: list[int]
    strings: list[bytes]
    tensors: list[TensorProto]
    graphs: list[GraphProto]


class NodeProto(Message):
    """A node of a graph."""

    FIELDS: ClassVar = {
        1: ("input", "text*"), 2: ("output", "text*"), 3: ("name", "text"), 4: ("op_type", "text"), 5: ("attribute", "AttributeProto*"),
        7: ("domain", "text"),
    }  # fmt: skip
    input: list[str]
    output: list[str]
    name: str = ""
    op_type: str = ""
    attribute: list[AttributeProto]
    domain: str = ""


class GraphProto(Message):
    """A graph."""

    FIELDS: ClassVar = {
        1: ("node", "NodeProto*"), 2: ("name", "text"), 5: ("initializer", "TensorProto*"), 11: ("input", "ValueInfoProto*"),
        12: ("output", "ValueInfoProto*"), 13: ("value_info", "ValueInfoProto*"),
    }  # fmt: skip
    node: list[NodeProto]
    name: str = ""
    initializer: list[TensorProto]
    input: list[ValueInfoProto]
    output: list[ValueInfoProto]
    value_info: list[ValueInfoProto]


class OperatorSetIdProto(Message):
    """An operator set and its version."""

    FIELDS: ClassVar = {1: ("domain", "text"), 2: ("version", "int")}
    domain: str = ""
    version: int = 0


class ModelProto(Message):
    """A whole ONNX file."""

    FIELDS: ClassVar = {
        1: ("ir_version", "int"), 2: ("producer_name", "text"), 7: ("graph", "GraphProto"), 8: ("opset_import", "OperatorSetIdProto*"),
    }  # fmt: skip
    ir_version: int = 0
    producer_name: str = ""
    graph: GraphProto
    opset_import: list[OperatorSetIdProto]


#: The messages by name, as the tables call them.
CLASSES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (Dimension, TensorShapeProto, TensorType, TypeProto, ValueInfoProto, TensorProto, AttributeProto, NodeProto, GraphProto,
                 OperatorSetIdProto, ModelProto)
}  # fmt: skip


def _encode(number: int, kind: str, value: Any) -> bytes:
    if kind == "int":
        return encode_varint(number << 3 | VARINT) + encode_varint(value & 0xFFFFFFFFFFFFFFFF)
    if kind == "float":
        return encode_varint(number << 3 | FIXED32) + struct.pack("<f", value)
    return encode_field(number, value if kind in ("bytes", "packed") else value.encode())
