"""Drops the weights out of an ONNX file without parsing them.

A price needs the shapes of the weights, never their values. The protobuf wire format lets a reader skip a field by its length, so a
model of hundreds of megabytes shrinks to the kilobytes that describe its graph, and only those are parsed.
Field numbers: onnx/onnx.proto (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from device_profiles.errors import InputError

Buffer = bytes | memoryview

#: Wire types of protobuf.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

#: Tensors of at most this many encoded bytes keep their data: shapes, axes, pads and clip bounds are among them.
KEEP_BYTES = 1024

#: Graphs nested deeper than this are refused.
MAX_DEPTH = 32

#: A model of more nodes than this, over all its graphs, is refused; the largest published ones have some ten thousand.
MAX_NODES = 100_000

#: A message of more fields than this is refused: reading a billion of empty ones would only keep the machine busy.
MAX_FIELDS = 1_000_000

_TENSOR_DATA = frozenset({4, 5, 6, 7, 9, 10, 11, 13, 14})  # *_data, raw_data, external_data, data_location


class Field(NamedTuple):
    """One field of a message: its number, its wire type, where its content starts and ends, and where the whole field starts."""

    number: int
    wire_type: int
    start: int
    end: int
    begin: int


def fields(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message in `data[start:end]`, contents not parsed. Raises InputError when a length leaves the message."""
    position, stop, count = start, len(data) if end is None else end, 0
    while position < stop:
        begin, count = position, count + 1
        if count > MAX_FIELDS:
            raise InputError(f"a message of more than {MAX_FIELDS} fields is not read")
        tag, position = _varint(data, position, stop)
        wire_type = tag & 7
        if wire_type == BYTES:
            length, position = _varint(data, position, stop)
            content, position = position, position + length
        elif wire_type == VARINT:
            content = position
            _, position = _varint(data, position, stop)
        elif wire_type in (FIXED64, FIXED32):
            content, position = position, position + (8 if wire_type == FIXED64 else 4)
        else:
            raise InputError("not an ONNX file: it holds bytes that are no protobuf field")
        if position > stop or tag >> 3 == 0:
            raise InputError("not a complete ONNX file: a field reaches beyond its end (truncated, or not ONNX)")
        yield Field(tag >> 3, wire_type, content, position, begin)


def _varint(data: Buffer, position: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while position < stop:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            break
    raise InputError("not a complete ONNX file: a number runs beyond its end (truncated, or not ONNX)")


def encode_field(number: int, content: bytes) -> bytes:
    """A field of bytes: its number, its length, its content."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(content)) + content


def encode_varint(value: int) -> bytes:
    """A number of 0 or more in groups of seven bits, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _rebuild(
    data: Buffer,
    start: int,
    end: int,
    left: list[int],
    replace: dict[int, Callable[[int, int], bytes]],
    drop: frozenset[int] = frozenset(),
) -> bytes:
    """The message with the fields of `replace` rewritten and those of `drop` left out; `left` counts down over a whole model."""
    out: list[bytes] = []
    for field in fields(data, start, end):
        left[0] -= 1
        if left[0] < 0:
            raise InputError(f"a model of more than {MAX_FIELDS} fields is not read")
        if field.number in drop:
            continue
        if field.number in replace and field.wire_type == BYTES:
            out.append(encode_field(field.number, replace[field.number](field.start, field.end)))
        else:
            out.append(bytes(data[field.begin : field.end]))
    return b"".join(out)


def strip_weights(data: Buffer) -> bytes:
    """The same ONNX model without the data of its large tensors.

    Tensors keep name, type and shape; those of at most `KEEP_BYTES` keep their data too. Large tensors inside `Constant` nodes and inside
    subgraphs are stripped as well. Raises InputError when `data` is no complete protobuf message, nests too deeply or holds an absurd
    number of fields.
    """
    left, nodes = [MAX_FIELDS], [0]

    def tensor(start: int, end: int) -> bytes:
        """A constant, without its data when it is large."""
        if end - start <= KEEP_BYTES:
            return bytes(data[start:end])
        return _rebuild(data, start, end, left, {}, _TENSOR_DATA)

    def graph(depth: int) -> Callable[[int, int], bytes]:
        """What rewrites a graph that is nested so deeply."""

        def rewrite(start: int, end: int) -> bytes:
            """The graph with its nodes and constants rewritten."""
            if depth > MAX_DEPTH:
                raise InputError(f"graphs nested more than {MAX_DEPTH} deep are not read")

            def node(start: int, end: int) -> bytes:
                """A node with the constants and graphs in its attributes rewritten; a small one as it is."""
                nodes[0] += 1
                if nodes[0] > MAX_NODES:
                    raise InputError(f"a model of more than {MAX_NODES} nodes is not read")
                if end - start <= KEEP_BYTES:
                    return bytes(data[start:end])
                inner = graph(depth + 1)
                attribute = {5: tensor, 6: inner, 10: tensor, 11: inner}
                return _rebuild(data, start, end, left, {5: lambda s, e: _rebuild(data, s, e, left, attribute)})

            return _rebuild(data, start, end, left, {1: node, 5: tensor})

        return rewrite

    return _rebuild(data, 0, len(data), left, {7: graph(0)})
