"""The Pareto front: non-dominated rows, hypervolume with a fixed reference, the knee, and the front of a run."""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from device_profiles.quantity import Quantity
from hwnas.objectives import Floats, minimised

Mask = npt.NDArray[np.bool_]


def non_dominated(values: npt.ArrayLike) -> Mask:
    """Which rows of `(n, m)` values, all minimised, no other row dominates; shape `(n,)`.

    Row a dominates row b when it is nowhere worse and somewhere better: equal rows stay together. A row with NaN is never on the front
    and never dominates; infinities are compared as numbers.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise InputError(f"non_dominated takes an array of shape (n, m), got {array.shape}")
    mask = np.zeros(len(array), dtype=bool)
    known = np.flatnonzero(~np.isnan(array).any(axis=1))
    if len(known) == 0 or array.shape[1] == 0:
        mask[known] = True
        return mask
    # In lexicographic order a row can only be dominated by rows before it, and equal rows, which share their fate, are neighbours.
    known = known[np.lexsort(array[known].T[::-1])]
    rows = array[known]
    first = np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)])
    distinct = rows[first]
    mask[known] = (_front_of_two(distinct) if rows.shape[1] <= 2 else _front_of_many(distinct))[np.cumsum(first) - 1]
    return mask


def _front_of_two(rows: Floats) -> Mask:
    """For distinct rows of one or two columns in lexicographic order: the last column must fall below all before it."""
    mask = np.zeros(len(rows), dtype=bool)
    mask[0] = True
    if rows.shape[1] == 2:
        mask[1:] = rows[1:, 1] < np.minimum.accumulate(rows[:-1, 1])
    return mask


def _front_of_many(rows: Floats) -> Mask:
    """For distinct rows in lexicographic order: the first row left is on the front; drop what it dominates, go on."""
    mask = np.zeros(len(rows), dtype=bool)
    left = np.arange(len(rows))
    while len(left):
        first = left[0]
        mask[first] = True
        rest = left[1:]
        left = rest[(rows[rest] < rows[first]).any(axis=1)]
    return mask


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The volume between `(n, m)` minimised values and the `(m,)` reference point.

    Rows beyond the reference in any column add nothing, and so do rows that are not finite. Needs moocore.
    Hypervolume: Zitzler and Thiele, PPSN 1998; computed as in Guerreiro and Fonseca, IEEE TEVC 2018.
    """
    array, corner = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if array.ndim != 2 or corner.shape != array.shape[1:] or not np.isfinite(corner).all():
        raise InputError(f"hypervolume takes values (n, m) and a finite reference (m,), got shapes {array.shape} and {corner.shape}")
    inside = array[np.isfinite(array).all(axis=1) & (array < corner).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    try:
        import moocore
    except ImportError as error:
        raise InputError('the hypervolume needs moocore: pip install "hwnas[search]"') from error
    return float(moocore.hypervolume(inside, ref=corner))


def knee(values: npt.ArrayLike) -> int:
    """The index of the knee of a front of `(n, m)` minimised values: the row farthest from the chord, towards the ideal point.

    Columns are first scaled to their range on the front, so units do not matter; the chord of two objectives joins the extremes, and of
    more the plane through the unit points. The first of equals, and the only row of one, is the knee (Das, Structural Optimization 1999).
    Raises InputError for an empty front.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 0:
        raise InputError("an empty front has no knee: no architecture was evaluated without failing or violating a constraint")
    low, high = array.min(axis=0), array.max(axis=0)
    scaled = (array - low) / np.where(high > low, high - low, 1.0)
    # Rounding guards the choice among symmetric points against the last bit of the scaling.
    return int(np.argmin(np.round(scaled.sum(axis=1), 12)))


class Archive:
    """The distinct non-dominated rows among those added so far, in minimisation form; each `add` costs one pass over the front."""

    def __init__(self, width: int) -> None:
        self.values: Floats = np.empty((0, width))
        self._count = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        """The rows on the front; rows with equal values all count."""
        return int(self._count.sum())

    def add(self, row: npt.ArrayLike) -> bool:
        """Add a row of `(m,)` values; whether the values on the front changed. Rows with NaN change nothing."""
        new = np.asarray(row, dtype=np.float64)
        if np.isnan(new).any():
            return False
        no_worse = (self.values <= new).all(axis=1)
        if no_worse.any():
            self._count[(self.values == new).all(axis=1)] += 1
            return False
        keep = ~(new <= self.values).all(axis=1)
        self.values = np.vstack([self.values[keep], new])
        self._count = np.append(self._count[keep], 1)
        return True


@dataclass(frozen=True)
class Point:
    """One architecture of a front with what is known about it."""

    architecture: tuple[int, ...]
    objectives: Mapping[str, Quantity]
    extras: Mapping[str, Quantity] = field(default_factory=dict)
    #: P(on the front), see `hwnas.chances`; None where it was not asked for.
    chance: float | None = None

    def to_json(self) -> dict[str, Any]:
        """`{"architecture": [...], <objective>: quantity, ..., "extras": {<name>: quantity}}`, and `p_front` where it is known."""
        known: dict[str, Any] = {name: quantity.to_json() for name, quantity in self.objectives.items()}
        if self.chance is not None:
            known["p_front"] = self.chance
        return {"architecture": list(self.architecture), **known, "extras": {name: q.to_json() for name, q in self.extras.items()}}


@dataclass(frozen=True)
class Front:
    """Non-dominated architectures in a fixed order: by the first objective to minimise, then by the others, then by architecture.

    `architectures` has shape `(n, n_choices)`; `values`, `lows` and `highs` have shape `(n, m)` and hold every objective in its natural
    direction and unit, with the ends of its 90 % interval. `extras[i]` holds what was learned later about architecture i, by name;
    `chances`, where it was asked for, has shape `(n,)`: P(on the front).
    """

    architectures: npt.NDArray[np.int64]
    names: tuple[str, ...]
    directions: tuple[str, ...]
    units: tuple[str, ...]
    origins: tuple[str, ...]
    values: Floats
    lows: Floats
    highs: Floats
    extras: tuple[Mapping[str, Quantity], ...] = ()
    chances: Floats | None = None

    @classmethod
    def of(
        cls, architectures: npt.NDArray[np.int64], objectives: Sequence[Mapping[str, Any]], estimates: Floats,
        extras: Mapping[tuple[int, ...], Mapping[str, Quantity]] | None = None,
    ) -> Front:  # fmt: skip
        """The front of evaluated architectures.

        `objectives` are their records in a run's spec, `estimates` has shape `(n, m, 3)`: value, low, high; rows whose values have NaN
        are left out. `extras` maps architectures to what else is known.
        """
        names, directions, units = (tuple(str(o[key]) for o in objectives) for key in ("name", "direction", "unit"))
        origins = tuple(str(o.get("origin", "predicted")) for o in objectives)
        costs = minimised(estimates[:, :, 0], directions)
        on = _in_order(np.flatnonzero(non_dominated(costs)), architectures, costs, directions)
        rows = tuple((extras or {}).get(tuple(arch), {}) for arch in architectures[on].tolist())
        return cls(
            architectures[on], names, directions, units, origins, estimates[on, :, 0], estimates[on, :, 1], estimates[on, :, 2], rows
        )

    def __len__(self) -> int:
        return len(self.architectures)

    def __getitem__(self, index: int) -> Point:
        i = range(len(self))[index]
        rows = zip(self.names, self.values[i], self.lows[i], self.highs[i], self.origins, strict=True)
        quantities = {name: Quantity(float(value), float(low), float(high), origin) for name, value, low, high, origin in rows}
        chance = None if self.chances is None else float(self.chances[i])
        return Point(tuple(self.architectures[i].tolist()), quantities, dict(self.extras[i]) if self.extras else {}, chance)

    def __iter__(self) -> Iterator[Point]:
        return (self[i] for i in range(len(self)))

    def positions(self, names: Sequence[str]) -> npt.NDArray[np.intp]:
        """The points that no other of this front dominates in some of the objectives, ordered as the front of those would be.

        Raises InputError for a name that is none of the objectives.
        """
        for name in names:
            if name not in self.names:
                raise unknown("objective", name, self.names)
        columns = [self.names.index(name) for name in names]
        costs = self.costs()[:, columns]
        return _in_order(np.flatnonzero(non_dominated(costs)), self.architectures, costs, [self.directions[c] for c in columns])

    def among(self, names: Sequence[str]) -> Front:
        """The front in some of the objectives, such as those of one of several devices; see `positions`."""
        rows = self.positions(names)
        columns = [self.names.index(name) for name in names]
        texts = (self.names, self.directions, self.units, self.origins)
        kept, directions, units, origins = (tuple(text[c] for c in columns) for text in texts)
        values, lows, highs = (array[rows][:, columns] for array in (self.values, self.lows, self.highs))
        extras = tuple(self.extras[i] for i in rows) if self.extras else ()
        return Front(self.architectures[rows], kept, directions, units, origins, values, lows, highs, extras)

    def with_chances(self, chances: Mapping[tuple[int, ...], float]) -> Front:
        """The same with P(on the front) of every architecture."""
        return replace(self, chances=np.array([chances[tuple(arch)] for arch in self.architectures.tolist()], dtype=np.float64))

    def costs(self) -> Floats:
        """The values in minimisation form, shape `(n, m)`."""
        return minimised(self.values, self.directions)

    def knee_index(self) -> int:
        """The position of the knee on this front. Raises InputError for an empty front."""
        return knee(self.costs())

    def knee(self) -> Point:
        """The point that gives most of everything at once: see `hwnas.front.knee`."""
        return self[self.knee_index()]

    def hypervolume(self, reference: Mapping[str, float]) -> float:
        """The hypervolume of this front; `reference` names a value per objective, in its natural direction."""
        corner = minimised([[reference[name] for name in self.names]], self.directions)[0]
        return hypervolume(self.costs(), corner)

    def columns(self) -> dict[str, list[Any]]:
        """The front as named columns: the architecture as JSON text, each number with `_low` and `_high`, extras last.

        An extra that bears the name of an objective (a re-measured latency) is called `extra_<name>`; None where it is not known.
        """
        table: dict[str, list[Any]] = {"architecture": [json.dumps(arch, separators=(",", ":")) for arch in self.architectures.tolist()]}
        for i, name in enumerate(self.names):
            for suffix, array in (("", self.values), ("_low", self.lows), ("_high", self.highs)):
                table[name + suffix] = array[:, i].tolist()
        if self.chances is not None:
            table["p_front"] = self.chances.tolist()
        for name in sorted({name for row in self.extras for name in row}):
            known = [row.get(name) for row in self.extras]
            title = f"extra_{name}" if name in self.names else name
            table[title] = [None if q is None else q.value for q in known]
            table[f"{title}_low"] = [None if q is None else q.low for q in known]
            table[f"{title}_high"] = [None if q is None else q.high for q in known]
        return table

    def to_dataframe(self) -> Any:
        """The columns as a pandas DataFrame. Needs pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise InputError('to_dataframe needs pandas: pip install "hwnas[report]"') from error
        return pandas.DataFrame(self.columns())

    def to_csv(self, path: str | Path) -> None:
        """Write the columns as CSV with a header; numbers keep every digit. Raises InputError when the file cannot be written."""
        text, table = io.StringIO(), self.columns()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
        try:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from error

    def to_json(self) -> dict[str, Any]:
        """`{"objectives": [{name, unit, direction}], "points": [...], "knee": index}`; `knee` is None for an empty front."""
        described = zip(self.names, self.units, self.directions, strict=True)
        objectives = [{"name": name, "unit": unit, "direction": direction} for name, unit, direction in described]
        return {"objectives": objectives, "points": [point.to_json() for point in self], "knee": self.knee_index() if len(self) else None}


def _in_order(
    on: npt.NDArray[np.intp], architectures: npt.NDArray[np.int64], costs: Floats, directions: Sequence[str]
) -> npt.NDArray[np.intp]:
    """Rows in the order of a front: by the first objective to minimise, then by the others, then by architecture."""
    if not len(on):
        return on
    first = directions.index("min") if "min" in directions else 0
    columns = [first, *(i for i in range(len(directions)) if i != first)]
    # lexsort takes its most important key last.
    keys = [*(architectures[on, i] for i in reversed(range(architectures.shape[1]))), *(costs[on, i] for i in reversed(columns))]
    return on[np.lexsort(keys)]
