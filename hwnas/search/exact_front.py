"""The exact front of additive objectives: dynamic programming over the parts of a space, pruned by dominance.

A part's number depends on the joint values of its choices. Parts are added one after the other; after each, partial architectures are
grouped by the choices that later parts still need (a stage's depth and width), and within a group every dominated one is dropped: whatever
follows costs it as much as the one that dominates it. So no point of the front is lost. Choices are summed out like the variables of a
nonserial dynamic program: Bertele and Brioschi, Nonserial Dynamic Programming, 1972.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.objectives import Floats
from hwnas.search.additive import Additive
from hwnas.search.exact_kernel import Index, front_index, thinned
from hwnas.spaces.base import Archs, SearchSpace

#: Partial architectures kept per group, by the number of objectives; more are thinned, and the gap says what that may have cost. With two
#: objectives groups are sets of a few thousand; with three they have no end.
LIMITS = {1: 1, 2: 1 << 15, 3: 1 << 14}
#: Groups at a time: the joint values of the choices that parts share while they are open.
GROUPS = 4096

Key = tuple[int, ...]

_NOTHING: Index = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class ExactFront:
    """`archs` `(n, n_choices)`, canonical, and their values `(n, m)`, minimised.

    `gap`, `(m,)`: no architecture is better than the nearest point of the front by more than this in any objective; all 0 when exact.
    `operations` counts the sums that were formed and compared: the work, whatever the machine.
    """

    archs: Archs
    values: Floats
    gap: Floats
    operations: int


def exact_front(
    space: SearchSpace, objectives: Sequence[Additive], bounds: npt.ArrayLike | None = None, limit: int | None = None
) -> ExactFront:
    """The front of one to three additive objectives, all minimised, within upper `bounds` (one per objective, may be infinite).

    Where a group holds more than `limit` partial architectures it is thinned, and `gap` grows. Raises InputError for another number of
    objectives, for parts that share too many choices, and for bounds that nothing meets.
    """
    if not 1 <= len(objectives) <= 3:
        raise InputError(f"an exact front has one to three objectives, got {len(objectives)}")
    if not joint_groups(space) <= GROUPS:
        raise InputError(f"the parts of {space.name} share too many choices for an exact front; use another algorithm")
    return _Program(space, objectives, bounds, limit or LIMITS[len(objectives)]).solve()


def joint_groups(space: SearchSpace) -> int:
    """The most groups that adding the parts in order has open at a time."""
    last_use = {choice: p for p, part in enumerate(space.parts) for choice in part.choices}
    opened: set[int] = set()
    most = 1
    for p, part in enumerate(space.parts):
        opened |= {c for c in part.choices if last_use[c] > p}
        most = max(most, math.prod(int(space.cardinalities[c]) for c in opened))
        opened = {c for c in opened if last_use[c] > p}
    return most


class _Arrival(NamedTuple):
    """A group's values `(m, members)`, its first member being number `offset`, and the configurations `(k,)` at `(m, k)` that join it."""

    members: Floats
    offset: int
    configuration: Index
    costs: Floats

    def sums(self) -> Floats:
        """Every configuration with every member, in that order, `(m, k * members)`."""
        return (self.costs[:, :, None] + self.members[:, None, :]).reshape(len(self.costs), -1)

    def origins(self, positions: Index) -> tuple[Index, Index]:
        """For positions in `sums`: the number of the member, and the configuration."""
        option = positions // self.members.shape[1]
        return positions - option * self.members.shape[1] + self.offset, self.configuration[option]


def _origins(parts: Sequence[_Arrival], starts: Sequence[int], kept: Index) -> tuple[Index, Index]:
    """For positions in the joined sums of several arrivals, which begin at `starts`: the number of the member, and the configuration."""
    if len(parts) == 1:
        return parts[0].origins(kept)
    before, chosen = np.empty_like(kept), np.empty_like(kept)
    for part, start, end in zip(parts, starts[:-1], starts[1:], strict=True):
        here = np.flatnonzero((kept >= start) & (kept < end))
        before[here], chosen[here] = part.origins(kept[here] - start)
    return before, chosen


class _Program:
    """Groups of partial architectures after each part: key (values of open choices) -> values `(m, n)`, and the trail back."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Additive], bounds: npt.ArrayLike | None, limit: int) -> None:
        self.space, self.limit, self.operations = space, limit, 0
        self.limits: list[int] = space.cardinalities.tolist()
        self.tables = [np.stack([objective.tables[p] for objective in objectives]) for p in range(len(space.parts))]
        self.groups: dict[Key, Floats] = {(): np.array([[objective.constant] for objective in objectives])}
        self.opened: list[int] = []
        self.gap = np.zeros(len(objectives))
        self.bounds = np.full(len(objectives), np.inf) if bounds is None else np.asarray(bounds, dtype=np.float64)
        self.bounded = bool(np.isfinite(self.bounds).any())
        # What the parts to come cost at least: a partial architecture that cannot stay within the bounds is dropped at once.
        least = np.array([table.min(axis=1) for table in self.tables]).reshape(-1, len(objectives))
        self.rest = np.concatenate([np.cumsum(least[::-1], axis=0)[::-1], np.zeros((1, len(objectives)))])
        self.last_use = {choice: p for p, part in enumerate(space.parts) for choice in part.choices}
        #: Per part, for all members of all groups in order: the member before and the part's configuration.
        self.trail: list[tuple[Index, Index]] = []

    def solve(self) -> ExactFront:
        """Forwards over the parts, then backwards along the trail."""
        for p in range(len(self.space.parts)):
            self._add(p)
            if not self.groups:
                raise InputError(f"no architecture of {self.space.name} is within the bounds {', '.join(f'{b:g}' for b in self.bounds)}")
        values = self.groups[()].T
        return ExactFront(self._archs(len(values)), values, self.gap, self.operations)

    def _add(self, p: int) -> None:
        """Add part `p` to every group."""
        choices = self.space.parts[p].choices
        own = [c for c in choices if self.last_use[c] == p and c not in self.opened]  # nobody else asks for them: decided here
        new = [c for c in choices if c not in self.opened and c not in own]
        after = [c for c in (*self.opened, *new) if self.last_use[c] > p]
        options = self._options(p, own)
        arrivals: dict[Key, list[_Arrival]] = {}
        offset = 0
        for key, members in self.groups.items():
            for values in product(*(range(self.limits[c]) for c in new)):
                known = dict(zip((*self.opened, *new), (*key, *values), strict=True))
                configuration, costs = options[tuple(known[c] for c in choices if c not in own)]
                arrivals.setdefault(tuple(known[c] for c in after), []).append(_Arrival(members, offset, configuration, costs))
            offset += members.shape[1]
        self.opened = after
        self._settle(p, arrivals)

    def _options(self, p: int, own: list[int]) -> dict[Key, tuple[Index, Floats]]:
        """Per values of the shared choices of a part: the configurations that its own choices leave undominated, and what they cost."""
        choices = self.space.parts[p].choices
        shared = [i for i, c in enumerate(choices) if c not in own]
        order = shared + [i for i, c in enumerate(choices) if c in own]
        numbers = np.arange(self.tables[p].shape[1]).reshape([self.limits[c] for c in choices]).transpose(order)
        options = {}
        for values in product(*(range(self.limits[choices[i]]) for i in shared)):
            index = numbers[values].reshape(-1)
            index = index[front_index(self.tables[p][:, index])]
            options[values] = index, self.tables[p][:, index]
        return options

    def _settle(self, p: int, arrivals: dict[Key, list[_Arrival]]) -> None:
        """Join what arrives in each group, keep what is within the bounds and not dominated, thin what is too much."""
        self.groups = {}
        trail: list[tuple[Index, Index]] = []
        settled: dict[tuple[tuple[int, bytes], ...], tuple[Floats, list[int], Index]] = {}
        lost = np.zeros(len(self.gap))
        for key, parts in arrivals.items():
            # Depths that the part does not tell apart lead to groups that are alike: one is computed.
            alike = tuple((part.offset, part.costs.tobytes()) for part in parts)
            if alike not in settled:
                sums = [part.sums() for part in parts]
                starts = [0, *accumulate(piece.shape[1] for piece in sums)]
                joined = np.concatenate(sums, axis=1) if len(sums) > 1 else sums[0]
                kept, worse = self._keep(p, joined)
                lost = np.maximum(lost, worse)
                settled[alike] = joined[:, kept], starts, kept
            values, starts, kept = settled[alike]
            if values.shape[1]:
                self.groups[key] = values
                trail.append(_origins(parts, starts, kept))
        self.gap += lost
        befores, configurations = zip(*trail, strict=True) if trail else ([_NOTHING], [_NOTHING])
        self.trail.append((np.concatenate(befores), np.concatenate(configurations)))

    def _keep(self, p: int, sums: Floats) -> tuple[Index, Floats]:
        """Which of `(m, n)` sums go on after part `p`, and what leaving out others of the front may have cost, `(m,)`."""
        self.operations += sums.shape[1]
        if self.bounded:
            within = np.flatnonzero(((sums + self.rest[p + 1][:, None]) <= self.bounds[:, None]).all(axis=0))
            kept = within[front_index(sums[:, within])]
        else:
            kept = front_index(sums)
        if len(kept) <= self.limit:
            return kept, np.zeros(len(sums))
        few, worse = thinned(sums[:, kept], self.limit)
        return kept[few], worse

    def _archs(self, n: int) -> Archs:
        """The architectures of the last members, canonical, shape `(n, n_choices)`."""
        archs = np.zeros((n, len(self.space.choices)), dtype=np.int64)
        member = np.arange(n)
        for part, (before, configuration) in zip(reversed(self.space.parts), reversed(self.trail), strict=True):
            if part.choices:
                values = np.indices([self.limits[c] for c in part.choices]).reshape(len(part.choices), -1)
                archs[:, part.choices] = values.T[configuration[member]]
            member = before[member]
        return np.where(self.space.active(archs), archs, 0)
