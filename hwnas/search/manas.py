"""Multi-agent search: one agent per choice, each of which learns from the same losses which of its values to draw."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwnas.agents import add_by_importance, boltzmann, chances, draw, legal_values, uniform
from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem
from hwnas.search.surrogate.straight import straightened
from hwnas.search.told import Told
from hwnas.spaces.base import Archs

#: Random architectures that tell how far losses spread, before agents learn; they were drawn as by agents that know nothing.
INITIAL = 16
#: The loss, in deviations from the mean of the first, of what failed or violates a constraint.
WORST = 3.0
#: The loss of what lies farther from the mean than so many deviations is cut.
FARTHEST = 30.0
#: Rounds of drawing per ask before random architectures fill what agents that are sure of themselves cannot.
ROUNDS = 8
#: The least chance that a loss is divided by.
RARE = 1e-6


class Agents(Optimiser):
    """What both multi-agent searches do: draw a value per agent, turn what came of it into losses, let every agent learn from them.

    A loss is an objective in minimisation form, its errors on a logarithmic scale where its best value is known, in deviations from the
    mean of the first architectures. Several objectives are weighted sums: every draw has its own weights, uniform on the simplex, and
    credit is kept per objective, for it adds up as the losses do. So the parts of a front that bulge inwards are not aimed at.
    An architecture drawn again is a round as any other, with the loss it had, but no evaluation; one that a cheap constraint excludes is
    one with the worst loss. An agent whose choice does nothing for an architecture learns nothing from it.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, *, batch: int = 8) -> None:
        super().__init__(problem, rng)
        self.batch, self._later = INITIAL, batch
        self.legal = legal_values(problem.space.cardinalities)
        self._begin: Told | None = Told(problem)
        self._centre = np.zeros(len(problem.objectives))
        self._spread = np.ones(len(problem.objectives))
        self._losses: dict[bytes, Floats] = {}
        self._chance: dict[bytes, Floats] = {}

    @abstractmethod
    def policies(self, weights: Floats) -> Floats:
        """The probability of every value of every choice, `(n, n_choices, longest choice)`, by `(n, m)` weights of the objectives."""

    @abstractmethod
    def learn(self, archs: Archs, active: npt.NDArray[np.bool_], chance: Floats, losses: Floats) -> None:
        """Update the agents with `(n, m)` losses of `(n, n_choices)` architectures, the choices that act and the chances of the values."""

    def ask(self, n: int) -> Archs:
        """What the agents draw and nobody has proposed; random architectures at first, and where the agents draw hardly anything else."""
        if self._begin is not None:
            return self.first(n)
        asked = [np.empty((0, self.legal.shape[0]), dtype=np.int64)]
        missing = n
        for _ in range(ROUNDS):
            if missing == 0:
                break
            asked.append(self._draw(missing))
            missing -= len(asked[-1])
        return np.concatenate([*asked, self.fresh(missing)])

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Learn; the first answers, all at once when there are enough to tell how far losses spread."""
        if self._begin is None:
            self._learn_from(archs, values, violation)
            return
        self._begin.add(archs, values, violation)
        if len(self._begin) >= INITIAL and self._begin.learned().any():
            first, self._begin, self.batch = self._begin, None, self._later
            known = self._straight(first.values[first.learned()])
            self._centre, spread = known.mean(axis=0), known.std(axis=0)
            self._spread = np.where(spread > 0, spread, 1.0)
            self._learn_from(first.archs, first.values, first.violation)

    def _draw(self, n: int) -> Archs:
        """What is new among `n` draws; from what is known the agents learn at once."""
        space = self.problem.space
        weights = self.rng.dirichlet(np.ones(len(self.problem.objectives)), n)
        policies = self.policies(weights)
        drawn = space.canonical(draw(policies, space.cardinalities, self.rng))
        chance = np.maximum(chances(policies, drawn), RARE)
        new = self.unseen(drawn)
        keys = [row.tobytes() for row in drawn]
        at = {key: i for i, key in enumerate(keys)}
        self._chance.update((key, chance[at[key]]) for key in (row.tobytes() for row in new))
        excluded = np.full(len(weights[0]), WORST)
        known = {i: self._losses.get(key, excluded) for i, key in enumerate(keys) if key in self._losses or key not in self._seen}
        if known:
            rows = np.array(list(known))
            self.learn(drawn[rows], space.active(drawn[rows]), chance[rows], np.array(list(known.values())))
        return new

    def _learn_from(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Turn answers into losses, remember them, and learn."""
        usable = np.logical_not(np.isnan(values).any(axis=1)) & (violation == 0)
        losses = np.full(values.shape, WORST)
        losses[usable] = np.clip((self._straight(values[usable]) - self._centre) / self._spread, -FARTHEST, FARTHEST)
        keys = [row.tobytes() for row in archs]
        self._losses.update(zip(keys, losses, strict=True))
        anything = uniform(self.legal)[:, 0]
        chance = np.array([self._chance.pop(key, anything) for key in keys]).reshape(archs.shape)
        self.learn(archs, self.problem.space.active(archs), chance, losses)

    def _straight(self, values: Floats) -> Floats:
        columns = zip(self.problem.objectives, values.T, strict=True)
        return np.column_stack([straightened(objective, column) for objective, column in columns])


class Manas(Agents):
    """Every agent adds up its losses, each divided by how likely its draw was, and draws from the softmax of minus the sums.

    Losses are squeezed into 0..1. The temperature is the one for which the regret of each agent is at most 2 sqrt(T K ln K) after any
    number of rounds T with K values, sqrt(ln K / (T K)): Bubeck and Cesa-Bianchi, Regret Analysis of Stochastic and Nonstochastic
    Multi-armed Bandit Problems, 2012, theorem 3.1. What several objectives mean stands at `Agents`.
    """

    description: ClassVar[str] = "one agent per choice, each a bandit that assumes nothing about the losses: learns slowly and surely"
    paper: ClassVar[str] = "Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, 2019, equation 6"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, batch: int = 8) -> None:
        super().__init__(problem, rng, batch=batch)
        self._sums = np.zeros((len(problem.objectives), *self.legal.shape))
        self._rounds = 0

    def policies(self, weights: Floats) -> Floats:
        """Boltzmann, over the weighted sums of losses."""
        temperature = anytime_temperature(self.problem.space.cardinalities, self._rounds)
        return boltzmann(temperature[:, None] * np.tensordot(weights, self._sums, axes=1), self.legal)

    def learn(self, archs: Archs, active: npt.NDArray[np.bool_], chance: Floats, losses: Floats) -> None:
        """Add the losses, divided by the chances."""
        add_by_importance(self._sums, archs, active, chance, 1 / (1 + np.exp(-losses)))
        self._rounds += len(archs)


def anytime_temperature(cardinalities: npt.NDArray[np.int64], rounds: int) -> Floats:
    """What each agent multiplies its sums of losses within 0..1 with after so many rounds, `(n_choices,)`."""
    return np.sqrt(np.log(cardinalities) / (max(rounds, 1) * cardinalities))
