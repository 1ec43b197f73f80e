"""Reading the messages of an ONNX file without the onnx package. See `messages.py`."""

from __future__ import annotations

import struct
from typing import Any, TypeVar

from device_profiles.errors import InputError
from device_profiles.graphs.messages import CLASSES, WIRE_TYPES, Message
from device_profiles.graphs.wire import BYTES, FIXED32, FIXED64, VARINT, Buffer, Field, fields

#: Messages nested deeper than this are refused, as protobuf itself does.
MAX_NESTING = 100

#: A model of more fields than this is no network that anybody measures: reading it would only fill the memory.
MAX_MODEL_FIELDS = 5_000_000

M = TypeVar("M", bound=Message)


def decode(kind: type[M], data: Buffer) -> M:
    """The message of class `kind` in `data`.

    Raises InputError when the bytes are no complete message, nest too deeply or hold an absurd number of fields.
    """
    message = _Decoder().message(kind, data, 0, len(data), 0)
    assert isinstance(message, kind)
    return message


class _Decoder:
    """Decodes nested messages, counting fields over all of them."""

    def __init__(self) -> None:
        self.left = MAX_MODEL_FIELDS

    def message(self, kind: type[Message], data: Buffer, start: int, end: int, depth: int) -> Message:
        """The message of a kind in `data[start:end]`. Raises InputError when it is damaged, too deep or too large."""
        if depth > MAX_NESTING:
            raise InputError(f"messages nested more than {MAX_NESTING} deep are not read")
        result, table = kind(), kind.FIELDS
        for field in fields(data, start, end):
            self.left -= 1
            if self.left < 0:
                raise InputError(f"a model of more than {MAX_MODEL_FIELDS} fields is not read")
            name, what = table.get(field.number, ("", ""))
            if not self._take(result, name, what, field, data, depth):
                result.others.append((field.number, bytes(data[field.begin : field.end])))
        return result

    def _take(self, result: Message, name: str, what: str, field: Field, data: Buffer, depth: int) -> bool:
        """Stores one field; False when it is not one of ours or is written in a way that is not."""
        single, wire_type = what.removesuffix("*"), field.wire_type
        content = data[field.start : field.end]
        if single in CLASSES and wire_type == BYTES:
            value = self.message(CLASSES[single], data, field.start, field.end, depth + 1)
            if single == what:
                _merge(result, name, value)
            else:
                getattr(result, name).append(value)
        elif single == "packed" and wire_type in (BYTES, VARINT, FIXED32, FIXED64):
            result.__dict__.setdefault(name, bytearray()).extend(content)
        elif single != what and single in ("int", "float") and wire_type == BYTES:
            getattr(result, name).extend(unpack(single, content))
        elif single in WIRE_TYPES and wire_type == WIRE_TYPES[single]:
            value = _scalar(single, content)
            if single == what:
                setattr(result, name, value)
            else:
                getattr(result, name).append(value)
        else:
            return False
        return True


def _merge(result: Message, name: str, value: Message) -> None:
    """Two occurrences of a message that is not repeated are one message, as protobuf has it."""
    before = getattr(result, name, None)
    if isinstance(before, Message):
        for key, part in value.__dict__.items():
            old = before.__dict__.get(key)
            if isinstance(old, list):
                old.extend(part)
            elif isinstance(old, Message):
                _merge(before, key, part)
            else:
                setattr(before, key, part)
    else:
        setattr(result, name, value)


def _scalar(kind: str, content: Buffer) -> Any:
    if kind == "int":
        return unpack("int", content)[0]
    if kind == "float":
        return struct.unpack("<f", content)[0]
    if kind == "bytes":
        return bytes(content)
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise InputError("not an ONNX file: a name in it is no text") from error


def unpack(kind: str, content: Buffer) -> list[Any]:
    """The numbers of a packed list: `int` for signed 64-bit varints, `float` for 32-bit floats. Raises InputError when one is cut short."""
    if kind == "float":
        if len(content) % 4:
            raise InputError("not a complete ONNX file: a list of floats is cut short")
        return list(struct.unpack(f"<{len(content) // 4}f", content))
    values, value, shift = [], 0, 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            value &= 0xFFFFFFFFFFFFFFFF
            values.append(value - (1 << 64) if value >> 63 else value)
            value = shift = 0
    if shift:
        raise InputError("not a complete ONNX file: a list of integers is cut short")
    return values
