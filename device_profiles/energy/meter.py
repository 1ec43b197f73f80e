"""The one interface of energy meters, and how any of them reads a file.

A meter either counts joules or samples watts. It never answers 0 or nothing for something that it cannot read: that is a `MeterError`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, NamedTuple

from device_profiles.errors import DeviceError


class MeterError(DeviceError):
    """A meter cannot be read, or gave what no meter can give; the message says what would be needed."""


class Reading(NamedTuple):
    """One reading: seconds of this machine's monotonic clock, and joules since the meter was opened, or watts."""

    time_s: float
    value: float


class Meter(ABC):
    """Something that tells energy or power.

    `unit` is "J" for a counter and "W" for samples of power. `covers` says in words whose energy it is, `rails` names what is summed.
    `period_s` is how often the value is renewed, and `resolution` its smallest step (in the unit). `gpu`: it tells the energy of a GPU
    alone, and says nothing about what a processor does. The accuracy of the meter itself is not known here and in no interval.
    """

    name: str
    unit: Literal["J", "W"]
    covers: str
    rails: tuple[str, ...]
    period_s: float
    resolution: float
    gpu: bool = False

    @abstractmethod
    def read(self) -> Reading:
        """The reading of this moment. Raises MeterError when there is none."""

    def poll(self) -> list[Reading]:
        """The readings since the last call, in order of time; meters that keep none give the one of this moment."""
        return [self.read()]

    def to_json(self) -> dict[str, Any]:
        """What the header of a profile says about the meter."""
        return {
            "meter": self.name, "unit": self.unit, "covers": self.covers, "rails": list(self.rails),
            "period_s": self.period_s, "resolution": self.resolution,
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<{self.name}: {self.covers} ({', '.join(self.rails)}), {self.unit}, every {self.period_s * 1e3:g} ms>"


def now() -> float:
    """Seconds of the clock that all readings share."""
    return time.monotonic()


def read_number(path: Path) -> float:
    """The number in a file of sysfs. Raises MeterError, with what would help, when it cannot be read or is no number."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except PermissionError as error:
        raise MeterError(f"needs read permission on {path} (as root: chmod a+r {path})") from error
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return float(int(text))
    except ValueError as error:
        raise MeterError(f"{path} holds {text[:40]!r}, not a whole number") from error


def read_name(path: Path) -> str | None:
    """The text of a small file; None when it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\x00 \n") or None
    except OSError:
        return None
