"""A search space whose architectures are the rows of a recorded table; no torch, no networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.objectives import Floats, Objective
from hwnas.search.tables.table import MAXIMISED, Table
from hwnas.spaces.base import Archs, Part, SearchSpace

#: Architectures compared with all rows at a time.
CHUNK = 512


class TableSpace(SearchSpace):
    """Every combination of the table's choices; one that was not recorded stands for the nearest row that was.

    Nearest: with the fewest choices that differ, the first of those. So algorithms that combine choices freely work on incomplete tables
    too, and every architecture they evaluate is a recorded one.
    """

    name = "table"
    classes = 0
    input_shape = (0, 0, 0)

    def __init__(self, table: Table) -> None:
        self.table = table
        self.choices = table.choices
        self.parts = tuple(Part(choice.name, (i,)) for i, choice in enumerate(table.choices))
        self.complete = math.prod(len(choice.values) for choice in table.choices) == len(table)

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.table)

    def active(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Choices of blocks beyond the depth do nothing."""
        mask = np.ones(archs.shape, dtype=bool)
        for choice, (gate, least) in self.table.exists.items():
            mask[:, choice] = archs[:, gate] >= least
        return mask

    def canonical(self, archs: npt.ArrayLike) -> Archs:
        """The recorded architectures that these stand for."""
        settled = super().canonical(archs)
        return settled if self.complete else self.table.archs[self._nearest(settled)]

    def sample(self, n: int, rng: np.random.Generator) -> Archs:
        """`n` rows, every one as likely."""
        return self.table.archs[rng.integers(0, len(self.table), n)]

    def rows(self, archs: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The row of the table for each architecture, shape `(n,)`."""
        settled = super().canonical(archs)
        if self.complete:  # rows are sorted, so a row's place is its number in the mixed radix of the choices
            places: npt.NDArray[np.intp] = np.ravel_multi_index(tuple(settled.T), tuple(self.cardinalities.tolist()))
            return places
        return self._nearest(settled)

    def features(self, archs: Archs) -> Floats:
        """What a surrogate should know of architectures: the cell's paths where there is a cell; one column per value otherwise."""
        return self.table.cell.features(archs) if self.table.cell else self._one_hot(archs)

    def objective(self, name: str, variant: str | None = None) -> Objective:
        """A recorded number as a search objective: accuracy is expensive and maximised, the rest cheap and minimised.

        Raises InputError for a number that the table does not hold.
        """
        values, best = self.table.column(name, variant), name in MAXIMISED
        unit = {"ms": "ms", "mj": "mJ", "mb": "MB", "mm2": "mm2"}.get(name.rpartition("_")[2].lower(), "")
        bounds = (0.0, 1.0) if best else None
        return Objective(name, unit, "max" if best else "min", best, lambda archs: values[self.rows(archs)], bounds, "published")

    def network(self, arch: Sequence[int] | Archs) -> NoReturn:
        """There is none. Raises InputError."""
        raise InputError(f"{self.table.name} is a recorded table: it holds numbers, not networks")

    def supernet(self) -> NoReturn:
        """There is none. Raises InputError."""
        raise InputError(f"{self.table.name} is a recorded table: it has no super-network")

    def spec(self) -> dict[str, Any]:
        """Which table this is."""
        return {"kind": self.name, "table": self.table.name, "rows": len(self.table), "sha256": self.table.sha256}

    def _one_hot(self, archs: Archs) -> Floats:
        starts = np.concatenate([[0], np.cumsum(self.cardinalities)])
        hot = np.zeros((len(archs), int(starts[-1])))
        np.put_along_axis(hot, archs + starts[:-1], 1.0, axis=1)
        return hot

    def _nearest(self, archs: Archs) -> npt.NDArray[np.intp]:
        """The nearest row of each architecture, `(n,)`."""
        rows = self._one_hot(self.table.archs).astype(np.float32).T
        parts = [self._one_hot(archs[i : i + CHUNK]).astype(np.float32) @ rows for i in range(0, len(archs), CHUNK)]
        return np.concatenate([part.argmax(axis=1) for part in parts]) if parts else np.empty(0, dtype=np.intp)
