"""What every optimiser shares: the problem it gets, and the ask/tell interface that the loop drives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Constraint, Floats, Objective
from hwnas.search.feasible import FeasibleSampler, enumerate_space
from hwnas.spaces.base import Archs, SearchSpace


@dataclass(frozen=True)
class Problem:
    """What is searched, for what, under which constraints.

    `reference`, where somebody set one: the values, one per objective in natural direction, beyond which an architecture is of no use.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    reference: tuple[float, ...] | None = None

    @property
    def directions(self) -> tuple[str, ...]:
        """`min` or `max` per objective."""
        return tuple(objective.direction for objective in self.objectives)

    @property
    def signs(self) -> Floats:
        """1 or -1 per objective, shape `(m,)`: values times signs are the minimisation form."""
        return np.array([objective.sign for objective in self.objectives])

    @cached_property
    def feasible_sampler(self) -> FeasibleSampler:
        """Draws architectures that meet every constraint on a cheap objective, and judges given ones."""
        return FeasibleSampler(self.space, self.objectives, self.constraints)


class Optimiser(ABC):
    """Proposes architectures and learns from their values.

    The loop calls `ask(self.batch)`, evaluates, and calls `tell` with the same architectures in canonical form, in order. An optimiser
    must depend on nothing but its constructor's arguments, the asks and the tells: a run is resumed by building it again from the seed
    and replaying. All randomness comes from `rng`. Keyword arguments after `rng` are the options that `search(options=...)` sets.
    """

    description: ClassVar[str]
    paper: ClassVar[str]
    #: Whether it takes any problem; one that does not says in its constructor what it needs.
    general: ClassVar[bool] = True

    #: How many architectures the loop asks for at a time.
    batch: int = 40

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        self.rng = rng
        self._seen: set[bytes] = set()

    @abstractmethod
    def ask(self, n: int) -> Archs:
        """At most `n` architectures to evaluate, shape `(k, n_choices)`; none when there is nothing left to propose.

        May be called again before all answers are told.
        """

    @abstractmethod
    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """The answers to `(n, n_choices)` architectures, in any order of the asks.

        `values` has shape `(n, m)` in minimisation form; a row with NaN and `violation` 0 failed. `violation`, shape `(n,)`, is positive
        where a constraint is not met; there the values of expensive objectives may be NaN because they were not computed.
        """

    def unseen(self, archs: Archs, limit: int | None = None) -> Archs:
        """The first `limit` rows of a batch, in canonical form, that are feasible as far as cheap objectives tell and were never proposed.

        They count as proposed now. Rows may be any choice indices, shape `(n, n_choices)`; order is kept.
        """
        canonical = self.problem.space.canonical(archs) if len(archs) else archs
        fresh = _first_of_each(canonical, self._seen)
        fresh = fresh[self.problem.feasible_sampler.feasible(fresh)][:limit]
        self._seen.update(row.tobytes() for row in fresh)
        return fresh

    def first(self, n: int) -> Archs:
        """At most `n` to begin with: the smallest and the largest architecture, where they are feasible, then random ones."""
        space = self.problem.space
        ends = self.unseen(np.concatenate([space.smallest(), space.largest()]), n)
        return np.concatenate([ends, self.fresh(n - len(ends))])

    def fresh(self, n: int, rounds: int = 8) -> Archs:
        """At most `n` random feasible architectures that were never proposed; fewer only when hardly any are left."""
        parts: list[Archs] = [np.empty((0, len(self.problem.space.choices)), dtype=np.int64)]
        missing = n
        for _ in range(rounds):
            if missing == 0:
                break
            parts.append(self.unseen(self.problem.feasible_sampler(missing, self.rng)))
            missing -= len(parts[-1])
        rest = enumerate_space(self.problem.space) if missing else None
        if rest is not None:  # the last ones of a small space, which chance would take long to meet
            unseen = _first_of_each(rest, self._seen)
            unseen = unseen[self.problem.feasible_sampler.feasible(unseen)]
            parts.append(self.unseen(unseen[self.rng.permutation(len(unseen))[:missing]]))
        return np.concatenate(parts)


def failed(values: Floats, violation: Floats) -> npt.NDArray[np.bool_]:
    """Which told rows are failures: NaN although no constraint is violated; shape `(n,)`."""
    missing: npt.NDArray[np.bool_] = np.logical_and(np.isnan(values).any(axis=1), violation == 0)
    return missing


def _first_of_each(archs: Archs, known: set[bytes]) -> Archs:
    """The rows that are not known, each once, in order."""
    new = dict.fromkeys(row.tobytes() for row in archs)
    keys: Sequence[bytes] = [key for key in new if key not in known]
    return np.frombuffer(b"".join(keys), dtype=np.int64).reshape(len(keys), archs.shape[1]).copy()
