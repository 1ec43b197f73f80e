"""`PublishedTable`: what somebody else measured, as columns with their intervals."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from device_profiles.quantity import Quantity

Values = npt.NDArray[np.float64]

#: A file of more bytes than this is no table of this kind: the largest published one has some tens of megabytes.
MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Column:
    """One number of every entry, shape `(n,)`.

    `low` and `high` bound 90 % of the single measurements; where the source gives no spread (`spread` is False) they are the value itself,
    which says nothing about how certain it is.
    """

    values: Values
    low: Values
    high: Values
    spread: bool

    @classmethod
    def of(cls, values: Sequence[float], std: Sequence[float] | None = None) -> Column:
        """A column from values and, where given, their standard deviations. Raises InputError for what is not finite or below 0."""
        numbers = _numbers(values)
        half = np.zeros_like(numbers) if std is None else 1.645 * _numbers(std)
        return cls(numbers, np.maximum(numbers - half, 0.0), numbers + half, std is not None)


def _numbers(values: Sequence[Any]) -> Values:
    if not all(type(v) in (int, float) for v in values):
        raise InputError(f"a number is wanted, not {next(str(v)[:40] for v in values if type(v) not in (int, float))!r}")
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise InputError("a number is too large to be a measurement") from error
    if not ((numbers >= 0) & (numbers < 1e12)).all():
        raise InputError("a published cost must be finite and not below 0")
    return numbers


@dataclass(frozen=True)
class PublishedTable:
    """Entries by key, with columns named after device and unit, such as `raspi4.latency_ms`.

    `source` says what was read; `details` holds what the source says about each entry besides its numbers, a mapping per entry.
    """

    source: str
    keys: tuple[str, ...]
    columns: Mapping[str, Column]
    details: tuple[Mapping[str, Any], ...]

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column.values) != len(self.keys):
                raise InputError(f"{self.source}: {name} has {len(column.values)} numbers for {len(self.keys)} entries")

    def quantity(self, key: str, column: str) -> Quantity:
        """One number with its interval, origin `published`. Raises InputError for an unknown key or column."""
        if column not in self.columns:
            raise unknown("column", column, self.columns)
        try:
            row = self._rows[key]
        except KeyError:
            raise InputError(f"{self.source} has no entry {key[:80]!r}") from None
        found = self.columns[column]
        return Quantity(float(found.values[row]), float(found.low[row]), float(found.high[row]), "published")

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)

    def __repr__(self) -> str:
        return f"<PublishedTable {self.source}: {len(self)} entries, {', '.join(self.columns)}>"


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file of at most `MAX_BYTES`. Raises InputError when it cannot be read or is larger."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: more than {MAX_BYTES >> 20} MB is too much for a table of measurements")
    return data
