"""FLASH's hierarchy: a coarse search over few numbers that stand for many choices, then a fine one around what it found."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from hwnas.objectives import Floats
from hwnas.search.homology import shgo
from hwnas.search.relaxed import Grid
from hwnas.spaces.base import Archs, SearchSpace

#: Values of a coarse number; coarse numbers at most; choices that are searched together in fine steps.
STEPS, COARSE, TOGETHER = 5, 4, 3
#: How far, as a share of the values of a choice, fine steps lead from the coarse winner, to either side.
REACH = 0.25


def hierarchical(space: SearchSpace, look: Callable[[Archs], Floats], samples: int, rng: np.random.Generator) -> Archs:
    """The architecture of least value that two levels of SHGO find, shape `(n_choices,)`.

    `look` maps architectures `(k, n_choices)` to finite values `(k,)`; `samples` is that of each SHGO. Li et al., FLASH, ACM TECS 2021:
    first a few numbers (there a width multiplier, a depth and a number of skips for all cells), in large steps; then the choices of each
    cell in unit steps, in bounds shrunk around the winner. Here a coarse number moves all choices of a kind, such as every `.width`,
    from their first to their last values together, and the fine level takes three choices at a time, in their order. The paper fixes the
    width multiplier after the first level; here widths take part in the second.
    """
    best = _coarse(space, look, samples, rng)
    free = np.flatnonzero(space.cardinalities > 1)
    for start in range(0, len(free), TOGETHER):
        best = _fine(space, look, samples, rng, best, free[start : start + TOGETHER])
    return best


def kinds(space: SearchSpace) -> list[Grid]:
    """The choices that a coarse number moves together: equal names but for numbers and what stands before the last dot.

    Of more than `COARSE` kinds the last ones move as one. Choices of one value are left out.
    """
    found: dict[str, list[int]] = {}
    for column, choice in enumerate(space.choices):
        if len(choice.values) > 1:
            found.setdefault(re.sub(r"\d+", "", choice.name.rpartition(".")[2]), []).append(column)
    groups = list(found.values())
    rest = [column for group in groups[COARSE - 1 :] for column in group]
    return [np.array(group, dtype=np.int64) for group in [*groups[: COARSE - 1], rest] if group]


def _coarse(space: SearchSpace, look: Callable[[Archs], Floats], samples: int, rng: np.random.Generator) -> Archs:
    groups, last = kinds(space), space.cardinalities - 1
    limits = [min(STEPS, int(last[group].max()) + 1) for group in groups]

    def spread(points: Grid) -> Archs:
        """The architectures of coarse points `(k, len(groups))`."""
        archs = np.zeros((len(points), len(last)), dtype=np.int64)
        for group, limit, place in zip(groups, limits, points.T, strict=True):
            archs[:, group] = np.rint(place[:, None] / (limit - 1) * last[group])
        return archs

    return spread(shgo(lambda points: look(spread(points)), limits, samples, rng)[None])[0] if groups else last


def _fine(
    space: SearchSpace, look: Callable[[Archs], Floats], samples: int, rng: np.random.Generator, centre: Archs, columns: Grid
) -> Archs:  # fmt: skip
    reach = np.ceil(REACH * space.cardinalities[columns]).astype(np.int64)
    low = np.maximum(centre[columns] - reach, 0)
    high = np.minimum(centre[columns] + reach, space.cardinalities[columns] - 1)

    def moved(points: Grid) -> Archs:
        """The centre with its choices at these places, counted from the lower bounds."""
        archs = np.tile(centre, (len(points), 1))
        archs[:, columns] = low + points
        return archs

    found = shgo(lambda points: look(moved(points)), (high - low + 1).tolist(), samples, rng)
    best: Archs = moved(found[None])[0]
    return best
