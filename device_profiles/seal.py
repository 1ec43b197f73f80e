"""One line of a profile or journal as bytes, with a checksum at its end: a digit that flipped on a disk or a wire must not become a price.

A sealed line is a JSON object on one line whose last entry is `"crc32"`, the CRC-32 of all bytes before that entry as eight hexadecimal
digits. It guards against accidents, not against forgers: whoever wants to lie can seal a lie.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from device_profiles.errors import InputError

#: Sealed lines longer than this are no measurement.
MAX_LINE = 64 << 20

#: A file with more bytes than this, unpacked, is no profile: thousands of operators need some tens of megabytes.
MAX_BYTES = 512 << 20

_MARK = b',"crc32":"'
_TAIL = len(_MARK) + len('01234567"}')


def seal(line: Mapping[str, Any]) -> bytes:
    """The line as bytes with its checksum and a newline. Raises ValueError for numbers that are not finite, and for an empty line."""
    text = json.dumps({k: v for k, v in line.items() if k != "crc32"}, allow_nan=False, separators=(",", ":")).encode()[:-1]
    if len(text) < 2:
        raise ValueError("an empty line cannot be sealed")
    return b'%s%s%08x"}\n' % (text, _MARK, zlib.crc32(text))


def is_sealed(text: bytes) -> bool:
    """Whether the checksum at the end of a line (given without its newline) is there and right."""
    content, tail = text[:-_TAIL], text[-_TAIL:]
    return tail == b'%s%08x"}' % (_MARK, zlib.crc32(content))


def unseal(text: bytes) -> dict[str, Any]:
    """The object on a sealed line (given without its newline), less its checksum. Raises InputError for anything else."""
    if len(text) > MAX_LINE:
        raise InputError(f"a line of {len(text) / 1e6:.0f} MB is no measurement (at most {MAX_LINE / 1e6:.0f} MB)")
    if text[-_TAIL : len(_MARK) - _TAIL] != _MARK:
        raise InputError("no checksum at its end: it was changed or damaged, or not written by hwnas")
    if not is_sealed(text):
        raise InputError("its checksum does not match: it was changed or damaged; restore the file, or take this line out")
    try:
        line = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({str(error)[:100]})") from error
    if not isinstance(line, dict):
        raise InputError("not a JSON object")
    line.pop("crc32", None)
    return line


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
