"""NSGA-II over choice indices: pymoo's selection, operators and survival; the canonical form, feasibility and novelty are checked here."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from device_profiles.errors import InputError
from hwnas.front import Mask
from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem, failed
from hwnas.spaces.base import Archs

#: Rounds of breeding before random architectures fill a generation that parents too alike cannot.
ROUNDS = 20
#: The violation of a failed architecture: worse than any that merely violates a constraint.
FAILED = 1e9


class Nsga2(Optimiser):
    """Elitist search by non-dominated rank and crowding distance.

    The first generation holds the smallest and the largest architecture (where they meet the cheap constraints) and random ones. Children
    come from tournaments, uniform crossover, and mutations that redraw a choice. Nothing is proposed twice, and nothing that is known to
    violate a constraint. Failed architectures rank last.
    """

    description: ClassVar[str] = "evolves a population by rank and crowding: a good default for two or three objectives"
    paper: ClassVar[str] = "Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE TEVC 2002"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, population: int = 24) -> None:
        if population < 4:
            raise InputError(f"{type(self).__name__.lower()} needs a population of at least 4, got {population}")
        super().__init__(problem, rng)
        self.batch = population
        self._algorithm = self._set_up()
        self._queue = np.empty((0, len(problem.space.choices)), dtype=np.int64)
        self._told: list[tuple[Archs, Floats, Floats]] = []

    def ask(self, n: int) -> Archs:
        """The next architectures of the generation; a new one is bred from all that was told when this one is handed out."""
        if len(self._queue) == 0:
            self._absorb()
            self._queue = self._breed() if self._algorithm.is_initialized else self.first(self.batch)
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers until the next generation is due."""
        self._told.append((archs, values, violation))

    def _absorb(self) -> None:
        """Let what was told compete with the population."""
        if not self._told:
            return
        from pymoo.core.population import Population

        archs, values, violation = (np.concatenate(parts) for parts in zip(*self._told, strict=True))
        self._told = []
        violation = np.where(failed(values, violation), FAILED, np.minimum(violation, FAILED))
        # Objectives are compared among feasible architectures only, which have them all.
        values = self._scaled(np.where((violation > 0)[:, None], 0.0, values), violation == 0)
        population = Population.new(X=archs, F=values, G=violation[:, None], H=np.empty((len(archs), 0)))
        self._algorithm.tell(infills=population)

    def _breed(self) -> Archs:
        """A generation of new architectures, shape `(at most batch, n_choices)`."""
        algorithm, parts, missing = self._algorithm, [self._queue], self.batch
        for _ in range(ROUNDS):
            if missing == 0:
                break
            # Not only as many as are missing: parents that are alike have many children that are known.
            number = max(missing, self.batch // 2)
            children = algorithm.mating.do(algorithm.problem, algorithm.pop, number, algorithm=algorithm, random_state=self.rng)
            parts.append(self.unseen(children.get("X").astype(np.int64), missing))
            missing -= len(parts[-1])
        return np.concatenate([*parts, self.fresh(missing)])

    def _scaled(self, values: Floats, usable: Mask) -> Floats:
        """Values as the survival is to see them: of NSGA-II as they are, for it looks at one objective at a time."""
        return values

    def _pymoo(self, **settings: Any) -> Any:
        """The algorithm of pymoo, not set up yet."""
        from pymoo.algorithms.moo.nsga2 import NSGA2

        return NSGA2(**settings)

    def _set_up(self) -> Any:
        """The algorithm of pymoo, set up to draw from `rng` and to be driven by ask/tell without end."""
        try:
            from pymoo.config import Config

            Config.warnings["not_compiled"] = False  # it would print to standard output, where results go
            from pymoo.core.problem import Problem as PymooProblem
            from pymoo.core.termination import NoTermination
            from pymoo.core.variable import Integer
            from pymoo.operators.crossover.ux import UniformCrossover
            from pymoo.operators.mutation.rm import ChoiceRandomMutation
        except ImportError as error:
            raise InputError(f'{type(self).__name__.lower()} needs pymoo: pip install "hwnas[search]"') from error

        variables = {choice.name: Integer(bounds=(0, len(choice.values) - 1)) for choice in self.problem.space.choices}
        described = PymooProblem(vars=variables, n_obj=len(self.problem.objectives), n_ieq_constr=1)
        algorithm = self._pymoo(
            pop_size=self.batch, sampling=None, crossover=UniformCrossover(prob=0.9), mutation=ChoiceRandomMutation(),
            eliminate_duplicates=False, output=None,
        )  # fmt: skip
        algorithm.mating.n_max_iterations = 1
        algorithm.termination = NoTermination()
        # pymoo seeds a generator of its own from `seed`; a generator is passed through, so it draws from ours and from nothing else.
        algorithm.setup(described, seed=self.rng)
        return algorithm
