"""The errors a user can meet: one line that says what is wrong and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HwnasError(Exception):
    """Base of all errors meant for the user; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(HwnasError, ValueError):
    """The input is wrong: a file, a name, a number, a combination."""

    exit_code = 2


class DeviceError(HwnasError, RuntimeError):
    """The device or its runtime failed: a crash, a hang, a disk that is full."""

    exit_code = 3


class RuntimeFailure(DeviceError):
    """The runtime refused a request, or a model of which it does not tell what it executes: the next one may succeed."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name that does not exist, with the nearest name that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InputError(f"unknown {kind} {name!r}: {hint}known: {', '.join(names)}")
