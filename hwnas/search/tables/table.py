"""`Table`: recorded architectures with what each of them scored and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from hwnas.objectives import UNITS, Floats
from hwnas.search.tables.cell import Cell
from hwnas.spaces.base import Archs, Choice, Value

#: Numbers that are maximised; everything else costs something.
MAXIMISED = ("accuracy",)
#: Names of numbers that promise no unit; a name that ends in a unit (latency_ms) is a number too, all others are choices.
UNITLESS = ("accuracy", "macs", "params")


@dataclass(frozen=True)
class Table:
    """Rows of choice indices and the numbers recorded for them.

    `archs` has shape `(n, n_choices)`, each row once. `columns` maps the name of a number (`accuracy`, `latency_ms`) to its variants (a
    data set, a device; one called `""` where there is no other) and those to `(n,)` values, NaN where nothing was recorded. Accuracies
    are shares.
    `exists` says which choices do nothing: choice -> (the choice that holds the depth, the least index of it for which this choice acts).
    """

    name: str
    choices: tuple[Choice, ...]
    archs: Archs
    columns: Mapping[str, Mapping[str, Floats]]
    sha256: str = ""
    exists: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    cell: Cell | None = None

    def __len__(self) -> int:
        return len(self.archs)

    def column(self, name: str, variant: str | None = None) -> Floats:
        """The values of a number, `(n,)`; `variant` may be left out where there is one.

        Raises InputError for a name or a variant that the table does not hold, with the nearest that it does.
        """
        if name not in self.columns:
            raise unknown(f"column of {self.name}", name, self.columns)
        variants = self.columns[name]
        if variant is None:
            if len(variants) > 1:
                raise InputError(f"{name} of {self.name} was recorded for {', '.join(variants)}: name one of them")
            (variant,) = variants
        if variant not in variants:
            raise unknown(f"{name} of {self.name}, recorded for", variant, variants)
        return variants[variant]

    def recorded(self, wanted: Mapping[str, str | None]) -> Table:
        """The rows for which every wanted number (name -> variant) was recorded; infinite ones were not.

        Raises InputError where there is no such row, and as `column` does.
        """
        there = np.ones(len(self), dtype=bool)
        for name, variant in wanted.items():
            there &= np.isfinite(self.column(name, variant))
        if there.all():
            return self
        if not there.any():
            raise InputError(f"{self.name} has no row with {' and '.join(wanted)}: none of its {len(self)} rows can be compared")
        columns = {name: {key: column[there] for key, column in variants.items()} for name, variants in self.columns.items()}
        return replace(self, archs=self.archs[there], columns=columns)


def is_number(name: str) -> bool:
    """Whether a column of that name holds a number, not a choice."""
    return name in UNITLESS or name.rpartition("_")[2].lower() in UNITS


def make_table(
    name: str, values: Mapping[str, npt.ArrayLike], columns: Mapping[str, Mapping[str, npt.ArrayLike]], sha256: str = "",
    depths: Mapping[str, tuple[str, Value]] | None = None,
) -> Table:  # fmt: skip
    """A table from the value of each choice per row and its numbers; repeated rows become one with the mean of their numbers.

    `depths`: choice -> (name of the choice that holds the depth, the least depth at which this choice acts).
    Raises InputError for columns of other lengths, without choices, numbers or rows, or for an accuracy outside 0..1.
    """
    if not values or not columns:
        missing = "choices" if not values else f"numbers (columns called {', '.join(UNITLESS)} or with a unit, such as latency_ms)"
        raise InputError(f"{name} holds no {missing}")
    lengths = {key: len(np.atleast_1d(column)) for key, column in values.items()}
    lengths |= {key: len(np.atleast_1d(column)) for key, variants in columns.items() for column in variants.values()}
    rows = next(iter(lengths.values()))
    odd = next((key for key, length in lengths.items() if length != rows), None)
    if odd is not None or rows == 0:
        raise InputError(f"{name}: column {odd} has {lengths[odd]} rows, not {rows}" if odd else f"{name} has no rows")
    choices, archs = _encode(values)
    names = [choice.name for choice in choices]
    exists = {
        names.index(key): (names.index(gate), choices[names.index(gate)].values.index(least))
        for key, (gate, least) in (depths or {}).items()
    }
    for choice, (gate, least) in exists.items():
        archs[archs[:, gate] < least, choice] = 0
    unique, where = np.unique(archs, axis=0, return_inverse=True)
    numbers = {
        key: {variant: _mean(np.asarray(column, dtype=np.float64), where.ravel(), len(unique)) for variant, column in variants.items()}
        for key, variants in columns.items()
    }
    for variant, column in numbers.get("accuracy", {}).items():
        if ((column < 0) | (column > 1)).any():
            raise InputError(
                f"{name}: accuracy {variant} must be a share between 0 and 1, got {np.nanmin(column):g} to {np.nanmax(column):g}"
            )
    return Table(name, choices, unique, numbers, sha256, exists)


def _encode(values: Mapping[str, npt.ArrayLike]) -> tuple[tuple[Choice, ...], Archs]:
    """The choices with their values in rising order, and every row as indices of them."""
    choices, columns = [], []
    for name, column in values.items():
        legal, index = np.unique(np.asarray(column), return_inverse=True)
        choices.append(Choice(name, tuple(legal.tolist())))
        columns.append(index.ravel())
    return tuple(choices), np.stack(columns, axis=1).astype(np.int64)


def _mean(column: Floats, where: npt.NDArray[np.intp], rows: int) -> Floats:
    """The mean of a column over the rows that became one."""
    return np.bincount(where, column, rows) / np.bincount(where, minlength=rows)
