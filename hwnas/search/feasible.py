"""Architectures that meet the constraints on cheap objectives, found without spending an evaluation, in bounded time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.objectives import Constraint, Floats, Objective
from hwnas.search.estimate import estimate
from hwnas.search.tables.space import TableSpace
from hwnas.spaces.base import Archs, SearchSpace

#: Random architectures judged for one draw before the rest is found by descent.
TRIES = 20_000
#: Architectures judged at a time.
CHUNK = 256
#: Infeasible architectures walked towards the feasible region at a time.
WALKERS = 64
#: Steps of such a walk; each changes one choice.
STEPS = 64
#: Spaces with at most this many combinations of indices are enumerated when chance finds nothing new.
ENUMERABLE = 1 << 16


class FeasibleSampler:
    """Draws architectures that meet every constraint on a cheap objective: by rejection, and where that is hopeless by descent.

    Rejection keeps the distribution of `space.sample`. Where fewer than wanted survive `TRIES` tries, rejected ones are walked, one choice
    at a time, to where the constraints hold; those crowd near the bounds.
    """

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
        self.space = space
        cheap = {objective.name: objective for objective in objectives if not objective.expensive}
        self._constraints = tuple(c for c in constraints if c.name in cheap)
        self._objectives = {c.name: cheap[c.name] for c in self._constraints}

    def values(self, archs: Archs) -> dict[str, Floats]:
        """The constrained cheap objectives of `(n, n_choices)` architectures, each `(n,)`; NaN where an objective fails."""
        return {name: estimate(objective, archs)[0].values for name, objective in self._objectives.items()}

    def violation(self, archs: Archs) -> Floats:
        """The sum of relative violations, shape `(n,)`; infinite where an objective fails."""
        values = self.values(archs) if len(archs) else {}
        return sum((c.violation(values[c.name]) for c in self._constraints if values), np.zeros(len(archs)))

    def feasible(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Which architectures meet the constraints, shape `(n,)`."""
        return np.equal(self.violation(archs), 0.0)

    def __call__(self, n: int, rng: np.random.Generator) -> Archs:
        """At most `n` canonical feasible architectures, not necessarily different; fewer only when they are hard to find."""
        if not self._constraints:
            return self.space.sample(n, rng)
        found: list[Archs] = [np.empty((0, len(self.space.choices)), dtype=np.int64)]
        missing, tries, rejected = n, 0, found[0]
        while missing > 0 and tries < TRIES:
            drawn = self.space.sample(min(max(4 * missing, CHUNK), TRIES - tries), rng)
            good = self.feasible(drawn)
            found.append(drawn[good][:missing])
            missing, tries, rejected = missing - len(found[-1]), tries + len(drawn), drawn[~good]
        if missing > 0:
            walked = self._descend(rejected[:WALKERS], rng)
            found.append(walked[self.feasible(walked)][:missing])
        return np.concatenate(found)

    def check(self) -> None:
        """Raise InputError when no feasible architecture can be found, naming the nearest bound that can be met.

        Looks with a seed of its own, so that the answer does not depend on the run's.
        """
        if not self._constraints:
            return
        rng = np.random.Generator(np.random.PCG64(0))
        archs = np.concatenate([self.space.smallest(), self.space.largest()])
        nearest, tries = archs[:0], 0
        while True:
            nearest = np.concatenate([nearest, archs])
            violation = self.violation(nearest)
            if (violation == 0).any():
                return
            nearest = nearest[np.argsort(violation, kind="stable")[:WALKERS]]
            if tries >= TRIES:
                break
            archs = self.space.sample(CHUNK, rng)
            tries += CHUNK
        walked = self._descend(nearest, rng)
        violation = self.violation(walked)
        best = int(np.argmin(violation))
        if violation[best] > 0:
            raise self._impossible({name: float(v[best]) for name, v in self.values(walked).items()})

    def _descend(self, archs: Archs, rng: np.random.Generator) -> Archs:
        """Walk each row downhill in violation, always to the best of all architectures that differ in one choice."""
        archs, violation = archs.copy(), self.violation(archs)
        changes = np.array([(i, v) for i, n in enumerate(self.space.cardinalities.tolist()) for v in range(n)])  # (k, 2): choice, index
        for _ in range(STEPS):
            left = np.flatnonzero(violation > 0)
            if len(left) == 0:
                break
            steps = changes[rng.permutation(len(changes))]  # ties fall to chance, not to the first choice
            around = np.repeat(archs[left], len(steps), axis=0).reshape(len(left), len(steps), -1)
            around[:, np.arange(len(steps)), steps[:, 0]] = steps[:, 1]
            around = self.space.canonical(around.reshape(-1, archs.shape[1])).reshape(around.shape)
            costs = self.violation(around.reshape(-1, archs.shape[1])).reshape(len(left), len(steps))
            best = costs.argmin(axis=1)
            lowest = costs[np.arange(len(left)), best]
            better = lowest < violation[left]
            if not better.any():
                break
            archs[left[better]] = around[better, best[better]]
            violation[left[better]] = lowest[better]
        return archs

    def _impossible(self, nearest: dict[str, float]) -> InputError:
        """The error that names what the nearest architecture costs and which bounds it would meet."""
        broken = [c for c in self._constraints if c.violation([nearest[c.name]])[0] > 0]
        texts = " and ".join(map(str, self._constraints))
        unknown = [c.name for c in broken if math.isnan(nearest[c.name])]
        if unknown:
            return InputError(f"no architecture with {texts} found: {unknown[0]} fails for every architecture tried")
        offers = " and ".join(reachable(c, nearest[c.name]) for c in broken)
        if len(self._constraints) == 1:
            (only,) = broken
            end = "smallest" if only.upper else "largest"
            return InputError(f"no architecture with {texts} found: the {end} {only.name} seen is {nearest[only.name]:.4g}; try {offers}")
        seen = " and ".join(f"{c.name} {nearest[c.name]:.4g}" for c in self._constraints)
        return InputError(f"no architecture with {texts} found: the nearest seen has {seen}; try {offers}")


def reachable(constraint: Constraint, value: float) -> str:
    """The text of the constraint with its bound moved, to three digits, to where `value` meets it."""
    if value == 0:
        return f"{constraint.name} {'<=' if constraint.upper else '>='} 0"
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    steps = math.ceil(value / unit) if constraint.upper else math.floor(value / unit)
    bound = float(f"{steps * unit:.12g}")
    if Constraint(constraint.name, constraint.relation, bound).violation([value])[0] > 0:
        bound = float(f"{(steps + (1 if constraint.upper else -1)) * unit:.12g}")
    return str(Constraint(constraint.name, constraint.relation, bound))


def enumerate_space(space: SearchSpace) -> Archs | None:
    """Every canonical architecture of a small space, in lexicographic order, shape `(space.size, n_choices)`; None for a large one."""
    if isinstance(space, TableSpace):
        return space.table.archs if len(space.table) <= ENUMERABLE else None
    cardinalities = space.cardinalities.tolist()
    if math.prod(cardinalities) > ENUMERABLE:
        return None
    grid = np.indices(cardinalities).reshape(len(cardinalities), -1).T
    return np.unique(space.canonical(grid), axis=0)
