"""Reads the data in a pickle without unpickling it: numbers, texts, lists, tuples, dictionaries; nothing is imported or called.

A pickle is a program for a small stack machine. This reads its opcodes with `pickletools`, which only takes them apart, and carries out
those that build plain data. The few classes that published tables need (ordered dictionaries, numpy numbers and one-dimensional arrays) are
recognised by name and read as plain data too; every other name is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from device_profiles.errors import InputError

#: More opcodes than this are not carried out: the largest published table has about a million.
MAX_OPCODES = 20_000_000

_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}

#: Names that stand for plain data, each with what it is read as.
_NAMES = {
    "collections OrderedDict": "dict", "numpy dtype": "dtype", "numpy ndarray": "ndarray", "_codecs encode": "encode",
    "__builtin__ bytes": "bytes",
    **{f"numpy.{core}.multiarray {name}": name.strip("_") for core in ("core", "_core") for name in ("scalar", "_reconstruct")},
}  # fmt: skip

_DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")


class _Name(str):
    """One of the values of `_NAMES`: what a following call stands for."""


class _Dtype:
    def __init__(self, name: object) -> None:
        if name not in _DTYPES:
            raise InputError(f"numpy numbers of type {str(name)[:20]!r} are not read")
        self.numpy = np.dtype(f"<{name}")

    def numbers(self, data: object, count: int | None = None) -> list[Any]:
        """The numbers in bytes (or in the text that old pickles keep bytes in)."""
        raw = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(raw, bytes) or (count is not None and len(raw) != count * self.numpy.itemsize):
            raise InputError("a numpy array does not hold as many numbers as it says")
        values: list[Any] = np.frombuffer(raw, self.numpy).tolist()
        return values


def read_plain_pickle(data: bytes) -> Any:
    """The data in a pickle. Raises InputError for anything but plain data: foreign classes, calls, damaged or endless files."""
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MAX_OPCODES:
                raise InputError(f"more than {MAX_OPCODES} steps are not read")
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except InputError as error:
        raise InputError(f"not a plain pickle: {error}") from error
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError, MemoryError, OverflowError) as error:
        raise InputError(f"not a plain pickle: damaged ({' '.join(str(error).split())[:80]})") from error
    raise InputError("not a plain pickle: it does not end")


class _Machine:
    """The stack, the marks on it, and what was remembered."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Carries out one opcode."""
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _PUT or name == "MEMOIZE":
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in _GET:
            stack.append(self.memo[argument])
        elif name == "MARK":
            self.below.append(stack)
            self.stack = []
        elif name in _SHORT_TUPLES:
            count = _SHORT_TUPLES[name]
            if len(stack) < count:
                raise InputError("a tuple lacks its content")
            stack[-count:] = [tuple(stack[-count:])]
        elif name not in ("PROTO", "FRAME"):
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        if name == "APPEND":
            value = self.stack.pop()
            _appendable(self.stack[-1]).append(value)
        elif name == "SETITEM":
            value, key = self.stack.pop(), self.stack.pop()
            _set_items(self.stack[-1], [key, value])
        elif name in ("APPENDS", "SETITEMS", "LIST", "TUPLE", "DICT"):
            content, self.stack = self.stack, self.below.pop()
            if name == "APPENDS":
                _appendable(self.stack[-1]).extend(content)
            elif name == "SETITEMS":
                _set_items(self.stack[-1], content)
            elif name == "DICT":
                self.stack.append(_set_items({}, content))
            else:
                self.stack.append(content if name == "LIST" else tuple(content))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self.stack.append(_name(argument if name == "GLOBAL" else " ".join(map(str, [self.stack.pop(), self.stack.pop()][::-1]))))
        elif name == "REDUCE":
            arguments, what = self.stack.pop(), self.stack.pop()
            self.stack.append(_called(what, arguments))
        elif name == "BUILD":
            state, target = self.stack.pop(), self.stack[-1]
            _set_state(target, state)
        else:
            raise InputError(f"it holds the step {name}, which plain data does not need")


def _appendable(value: Any) -> list[Any]:
    if type(value) is not list:
        raise InputError("something is added to what is no list")
    return value


def _set_items(target: Any, content: list[Any]) -> dict[Any, Any]:
    if type(target) is not dict or len(content) % 2 or not all(type(key) in (str, int) for key in content[::2]):
        raise InputError("a dictionary of plain data has texts or whole numbers as keys")
    target.update(zip(content[::2], content[1::2], strict=True))
    return target


def _name(text: str) -> _Name:
    if text not in _NAMES:
        raise InputError(f"it names {text[:60]!r}, and nothing but plain data is read")
    return _Name(_NAMES[text])


def _called(what: Any, arguments: Any) -> Any:
    """What a call of one of the known names stands for."""
    if type(what) is not _Name or type(arguments) is not tuple:
        raise InputError("it calls something")
    if what in ("dict", "bytes") and not arguments:
        return {} if what == "dict" else b""
    if what == "dtype" and arguments:
        return _Dtype(arguments[0])
    if what == "encode" and type(arguments[0]) is str:
        return arguments[0].encode("latin-1")
    if what == "reconstruct":
        return []
    if what == "scalar" and type(arguments[0]) is _Dtype:
        return arguments[0].numbers(arguments[1], 1)[0]
    raise InputError(f"it calls {what} in a way that is not known")


def _set_state(target: Any, state: Any) -> None:
    """The state of a numpy type (its byte order) or of an array (version, shape, type, order, bytes)."""
    if type(target) is _Dtype and type(state) is tuple and len(state) > 1 and state[1] in ("<", "|"):
        return
    if type(target) is list and not target and type(state) is tuple and len(state) == 5 and type(state[2]) is _Dtype:
        shape = state[1]
        if type(shape) is tuple and len(shape) == 1 and type(shape[0]) is int:
            target.extend(state[2].numbers(state[4], shape[0]))
            return
    raise InputError("it holds an object that is no plain data")
