"""Objectives that are a constant plus one number per part of the network: what the exact front needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.objectives import Floats, Objective
from hwnas.search.estimate import estimate
from hwnas.spaces.base import Archs, SearchSpace
from predictors.covering import canonical_configurations

#: Architectures on which the sum of parts is compared with the objective, and how far apart they may be: the order of summation.
CHECKED, ROUNDING = 64, 1e-9
#: How much a column of joint values weighs in a fit beside one of a single choice.
TOGETHER = 0.3


@runtime_checkable
class PartPrices(Protocol):
    """What has a table per part, such as `predictors.CostTable`."""

    def part_prices(self, part: str) -> Floats:
        """The number of every configuration of a part, the last of its choices changing fastest."""
        ...


@dataclass(frozen=True)
class Additive:
    """`constant + sum over parts of tables[part][configuration]`, where a configuration numbers the joint values of the part's choices.

    The last of a part's choices changes fastest, as in `CostTable.part_prices`. It can be called with architectures `(n, n_choices)`.
    """

    space: SearchSpace
    tables: tuple[Floats, ...]
    constant: float = 0.0

    def __call__(self, archs: Archs) -> Floats:
        """The sums, shape `(n,)`."""
        total = np.full(len(archs), self.constant)
        for table, index in zip(self.tables, configurations(self.space, archs), strict=True):
            total += table[index]
        return total

    def part_prices(self, part: str) -> Floats:
        """The table of a part. Raises InputError for a part that the space does not have."""
        names = [p.name for p in self.space.parts]
        if part not in names:
            raise InputError(f"{self.space.name} has no part {part!r}")
        return self.tables[names.index(part)]

    @classmethod
    def of(cls, objective: Objective, space: SearchSpace) -> Additive | None:
        """The additive form of an objective in minimisation form, from the part tables of its source; None where it has none.

        None also where the sum of its parts is not the objective, as with a table that rounds or clips its sums.
        """
        if not isinstance(objective.source, PartPrices):
            return None
        tables = tuple(objective.sign * np.asarray(objective.source.part_prices(part.name)) for part in space.parts)
        archs = np.concatenate([space.smallest(), space.largest(), space.sample(CHECKED, np.random.Generator(np.random.PCG64(0)))])
        values, bare = objective.sign * estimate(objective, archs)[0].values, cls(space, tables)(archs)
        constant = float(np.median(values - bare))
        fits = np.allclose(bare + constant, values, rtol=ROUNDING, atol=ROUNDING * float(np.abs(values).max()))
        return cls(space, tables, constant) if fits else None

    @classmethod
    def fit(cls, space: SearchSpace, archs: Archs, values: Floats, ridge: float = 1e-3) -> Additive:
        """The additive model nearest to `(n,)` values of `(n, n_choices)` architectures, by ridge regression.

        `ridge` is relative to the number of rows. A configuration counts as what its choices do each for itself, and by less as what they
        do together, so that one that was never seen is judged by its likes. Configurations of the same network get the same number.
        """
        describing = [_description(space, i) for i in range(len(space.parts))]
        rows = np.concatenate(
            [table[index] for table, index in zip(describing, configurations(space, archs), strict=True)], axis=1
        )  # fmt: skip
        mean, centre = float(values.mean()), rows.mean(axis=0)
        rows = rows - centre
        # In the space of rows: a few hundred, while the columns may be thousands.
        weights = rows.T @ np.linalg.solve(rows @ rows.T + ridge * len(archs) * np.eye(len(archs)), values - mean)
        starts = np.cumsum([0, *(table.shape[1] for table in describing)])
        tables = tuple(table @ weights[a:b] for table, (a, b) in zip(describing, pairwise(starts), strict=True))
        return cls(space, tables, mean - float(centre @ weights))


def _description(space: SearchSpace, part: int) -> Floats:
    """Columns that describe every configuration of a part, `(configurations, f)`: each choice's value, its place, and all together."""
    rows = canonical_configurations(space, space.parts[part])
    limits = [int(space.cardinalities[c]) for c in space.parts[part].choices]
    columns = [TOGETHER * np.eye(len(rows))[_number(rows, limits)]]
    for column, limit in zip(rows.T, limits, strict=True):
        columns += [np.eye(limit)[column], column[:, None] / max(limit - 1, 1)]
    return np.concatenate(columns, axis=1)


def configuration_count(space: SearchSpace, part: int) -> int:
    """The number of joint values of a part's choices."""
    return int(np.prod(space.cardinalities[list(space.parts[part].choices)], dtype=np.int64))


def configurations(space: SearchSpace, archs: Archs) -> list[npt.NDArray[np.intp]]:
    """Per part the number of the configuration that each architecture shows, `(n,)`."""
    limits = space.cardinalities
    return [_number(archs[:, part.choices], [int(limits[c]) for c in part.choices]) for part in space.parts]


def _number(rows: Archs, limits: Sequence[int]) -> npt.NDArray[np.intp]:
    """The number of joint values `(n, k)`, the last choice changing fastest, `(n,)`."""
    index = np.zeros(len(rows), dtype=np.intp)
    for column, limit in zip(rows.T, limits, strict=True):
        index = index * limit + column
    return index
