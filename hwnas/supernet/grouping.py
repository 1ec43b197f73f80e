"""Which architectures share weights with which."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, SearchSpace

#: How architectures come to groups.
BY = ("similar", "random")
#: Spaces whose choices combine in more ways are not listed.
MOST = 2**18


def children(space: SearchSpace) -> Archs:
    """Every architecture of a small space, `(size, n_choices)`, in the order of the first choices.

    Raises InputError for a space that is too large to be listed.
    """
    ways = math.prod(space.cardinalities.tolist())
    if ways > MOST:
        raise InputError(f"{space.name} has {space.size:.3g} architectures, too many to list (at most {MOST} combinations of its choices)")
    grid = np.stack(np.unravel_index(np.arange(ways), tuple(space.cardinalities.tolist())), axis=1)
    return np.unique(space.canonical(grid), axis=0)


class Grouping:
    """`groups` groups of architectures of nearly equal size.

    "similar": the architectures in the order of their first choices, cut into slices; in a space too large to be listed the slices hold
    equally many combinations of choices. "random": a random share each, drawn with `seed`, for spaces that can be listed.
    Raises InputError when there are more groups than architectures, or random groups of a large space.
    """

    def __init__(self, space: SearchSpace, groups: int, by: str = "similar", seed: int = 0) -> None:
        if groups > space.size:
            raise InputError(f"{groups} groups are more than the {space.size} architectures of {space.name}")
        self.space, self.groups = space, groups
        self._weights: list[int] = [int(math.prod(space.cardinalities[i + 1 :].tolist())) for i in range(len(space.choices))]
        self._ways: int = math.prod(space.cardinalities.tolist())
        self._codes: npt.NDArray[np.int64] | None = None
        if by == "random" or self._ways <= MOST:
            listed = children(space)
            self._codes = np.array([self._code(row) for row in listed.tolist()])
            self._places = np.random.default_rng(seed).permutation(len(listed)) if by == "random" else np.arange(len(listed))

    def _code(self, row: list[int]) -> int:
        return sum((value * weight for value, weight in zip(row, self._weights, strict=True)), 0)

    def of(self, architecture: tuple[int, ...]) -> int:
        """The group, from 0, of a canonical architecture."""
        code = self._code(list(architecture))
        if self._codes is None:
            return code * self.groups // self._ways
        place = int(self._places[np.searchsorted(self._codes, code)])
        return place * self.groups // len(self._codes)
