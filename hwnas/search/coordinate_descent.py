"""Coordinate descent: from the costliest architecture downwards, step by step, keeping the most accurate of what costs little enough."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.front import non_dominated
from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem, failed
from hwnas.search.estimate import estimate
from hwnas.spaces.base import Archs

#: How the step shrinks from iteration to iteration.
DECAY = 0.98
#: Ways to shrink its layers among which a proposal takes the one that is nearest to the target.
WAYS = 32
#: Sweeps over all choices that make an architecture as costly, or as cheap, as it can be.
SWEEPS = 2
#: Iterations whose proposals are all known that one ask goes through.
KNOWN = 64


class CoordinateDescent(Optimiser):
    """Shrinks the cost by a scheduled amount per iteration and goes on from the most accurate proposal that meets it.

    An iteration makes `samples` proposals: each shrinks up to `layers` random choices to random cheaper values, of `WAYS` ways the one that
    comes nearest to the target from below. With `layers` 1 it is NetAdapt (Yang et al., ECCV 2018): one proposal per choice, its costliest
    value that meets the target. A proposal that cannot meet it goes as low as it can. The target lies `step` x 0.98^iteration of what
    lies between the costliest architecture and the cheapest below the current cost. The descent ends where nothing is cheaper; the next
    one starts again with half the step, and after one that proposed nothing new come random architectures.

    The cost is what is cheap and minimised; of several objectives, the mean of their ratios to the largest architecture's; where nothing
    is cheap, how far the choices are on their way from first to last value, for choices list their values from cheap to costly. Accuracy is
    everything else: of several objectives, a random proposal that no other dominates is kept; where nothing else is, the cheapest.
    Where a constraint excludes the costliest architecture, the descent starts from the most accurate of `samples` random ones, each made
    as costly as the constraints allow: what breaks a cheap constraint is never evaluated.
    """

    description: ClassVar[str] = "shrinks the largest network step by step, several layers at a time: the best for each cost on the way"
    paper: ClassVar[str] = (
        "Yang et al., NetAdaptV2: Efficient Neural Architecture Search with Fast Super-Network Training and Architecture Optimization, "
        "CVPR 2021"
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, *, layers: int = 4, samples: int = 10, step: float = 0.1) -> None:
        super().__init__(problem, rng)
        if not 0 < step <= 1:
            raise InputError(f"coordinate needs a step within 0..1, a share of the range of the cost, got {step}")
        self.layers, self.samples = layers, samples
        self.batch = len(problem.space.choices) if layers == 1 else samples
        #: What was kept after each iteration, in order, each of shape `(1, n_choices)`; the first of a descent is its start.
        self.trace: list[Archs] = []
        self._cheap = [i for i, o in enumerate(problem.objectives) if not o.expensive and o.direction == "min"]
        self._judged = [i for i in range(len(problem.objectives)) if i not in self._cheap]
        self._scale = np.abs(self._costs(problem.space.largest())[:, 0])
        self._answers: dict[bytes, tuple[Floats, float]] = {}
        self._none = np.empty((0, len(problem.space.choices)), dtype=np.int64)
        self._starts: Archs | None = None
        self._current = self._candidates = self._queue = self._none
        self._step, self._range, self._iteration = step, 0.0, 0
        self._new = self._exhausted = False

    def ask(self, n: int) -> Archs:
        """The proposals of the iteration; random architectures while their answers are awaited, and when descents bring nothing new."""
        if not len(self._queue) and all(row.tobytes() in self._answers for row in self._candidates):
            for _ in range(KNOWN):
                if len(self._queue) or self._exhausted:
                    break
                self._iterate()
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked if len(asked) else self.fresh(n)

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers."""
        keys = [row.tobytes() for row in archs]
        self._answers.update(zip(keys, zip(values, violation.tolist(), strict=True), strict=True))

    def _iterate(self) -> None:
        """Keep the best candidate, and propose what costs less; start again where nothing does."""
        if len(self._candidates):
            self._current = self._best(self._candidates)
            self.trace.append(self._current)
        self._candidates = self._proposals() if len(self._current) else self._none
        self._iteration += 1
        if not len(self._candidates):
            self._restart()
        self._queue = self.unseen(self._candidates)
        self._new = self._new or len(self._queue) > 0

    def _best(self, archs: Archs) -> Archs:
        """The best of answered architectures: of those that violate least the most accurate, else by chance; shape `(1, n_choices)`."""
        answers = [self._answers[row.tobytes()] for row in archs]
        values, violation = np.array([v for v, _ in answers]), np.array([v for _, v in answers])
        violation = np.where(failed(values, violation), np.inf, violation)
        least = np.flatnonzero(violation == violation.min())
        best = least[non_dominated(values[least][:, self._judged] if self._judged else self._cost(archs[least])[:, None])]
        return archs[[self.rng.choice(best if len(best) else least)]]

    def _proposals(self) -> Archs:
        """What is cheaper than the current architecture and allowed, per proposal the nearest to the target, shape `(k, n_choices)`."""
        ways, proposal = self._shrunk()
        now, cost = self._cost(self._current)[0], self._cost(ways)
        allowed = np.flatnonzero(self.problem.feasible_sampler.feasible(ways) & (cost < now))
        ways, proposal, cost = ways[allowed], proposal[allowed], cost[allowed]
        meets = cost <= now - self._step * self._range * DECAY**self._iteration
        order = np.lexsort((np.where(meets, -cost, cost), ~meets, proposal))
        first = np.unique(proposal[order], return_index=True)[1]
        return np.unique(ways[order[first]], axis=0)

    def _shrunk(self) -> tuple[Archs, npt.NDArray[np.intp]]:
        """Ways to shrink the current architecture, `(w, n_choices)`, and the number of the proposal that each belongs to, `(w,)`."""
        limits = self.problem.space.cardinalities
        steps = np.array([(c, v) for c, limit in enumerate(limits.tolist()) for v in range(limit)])
        alone = np.repeat(self._current, len(steps), axis=0)
        alone[np.arange(len(steps)), steps[:, 0]] = steps[:, 1]
        alone = self.problem.space.canonical(alone)
        if self.layers == 1:
            return alone, steps[:, 0]
        cheaper = np.zeros((len(limits), int(limits.max())), dtype=bool)
        cheaper[steps[:, 0], steps[:, 1]] = self._cost(alone) < self._cost(self._current)[0]
        able = np.flatnonzero(cheaper.any(axis=1))
        size = (self.samples, WAYS)
        chosen = self.rng.random((self.samples, len(able))).argsort(axis=1).argsort(axis=1) < self.layers
        # A way shrinks some of the layers of its proposal: the target may be nearer than all of them together.
        part = self.rng.random((*size, len(able))) < self.rng.integers(1, self.layers + 1, (*size, 1)) / min(self.layers, max(len(able), 1))
        value = np.where(cheaper[able], self.rng.random((*size, *cheaper[able].shape)), -1.0).argmax(axis=-1)
        ways = np.broadcast_to(self._current[0], (*size, len(limits))).copy()
        ways[..., able] = np.where(chosen[:, None] & part, value, ways[..., able])
        return self.problem.space.canonical(ways.reshape(-1, len(limits))), np.repeat(np.arange(self.samples), WAYS)

    def _restart(self) -> None:
        """Start at the top, the first time with the step that was given."""
        if self._starts is None:
            self._starts = self._top()
        else:
            self._exhausted, self._step = not self._new, self._step / 2
        self._candidates, self._iteration, self._new = self._starts, 0, False

    def _top(self) -> Archs:
        """The costliest architecture; where the constraints exclude the largest, random ones made as costly as they allow."""
        sampler, archs = self.problem.feasible_sampler, self.problem.space.largest()
        if not sampler.feasible(archs)[0]:
            archs = sampler(self.samples, self.rng)
        if not len(archs):
            return archs
        top, bottom = self._swept(archs, 1.0), self._swept(archs, -1.0)
        self._range = float(self._cost(top).max() - self._cost(bottom).min())
        return np.unique(top, axis=0)

    def _swept(self, archs: Archs, sign: float) -> Archs:
        """Each row with one choice after the other at its costliest allowed value, or at its cheapest where `sign` is -1."""
        space, rows = self.problem.space, np.arange(len(archs))
        for choice in [*self.rng.permutation(archs.shape[1])] * SWEEPS:
            limit = int(space.cardinalities[choice])
            around = np.repeat(archs, limit, axis=0)
            around[:, choice] = np.tile(np.arange(limit), len(archs))
            around = space.canonical(around)
            cost = np.where(self.problem.feasible_sampler.feasible(around), sign * self._cost(around), -np.inf)
            archs = around.reshape(len(archs), limit, -1)[rows, np.nan_to_num(cost, nan=-np.inf).reshape(-1, limit).argmax(axis=1)]
        return archs

    def _cost(self, archs: Archs) -> Floats:
        """What is to shrink, `(n,)`; NaN where an objective fails."""
        if not self._cheap:
            space = self.problem.space
            shares = np.where(space.active(archs), (archs + 1.0) / space.cardinalities, 0.0)
        else:
            shares = self._costs(archs).T / np.where(self._scale > 0, self._scale, 1.0)
        mean: Floats = shares.mean(axis=1)
        return mean

    def _costs(self, archs: Archs) -> Floats:
        """The cheap objectives, `(objectives, n)`."""
        values = [estimate(self.problem.objectives[i], archs)[0].values for i in self._cheap]
        return np.array(values).reshape(len(self._cheap), len(archs))
