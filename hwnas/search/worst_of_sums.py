"""Objectives that are the highest of several sums, such as the worst of several devices, and their exact front.

A maximum is not a sum over the parts, so dynamic programming does not apply to it; but it rises with each of its sums. An architecture
that another one is at least as good as in all sums is no better in their maximum either, so the front of the maximum is found among the
architectures on the front of the sums, and a bound on the maximum is one on every sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.devices import WorstTable
from hwnas.front import non_dominated
from hwnas.objectives import Floats, Objective
from hwnas.search.additive import Additive
from hwnas.search.exact_front import ExactFront, exact_front
from hwnas.spaces.base import Archs, SearchSpace


@dataclass(frozen=True)
class Highest:
    """The highest of several additive objectives, each divided by its own positive scale. Called with architectures `(n, n_choices)`."""

    sums: tuple[Additive, ...]
    scales: tuple[float, ...]

    def __call__(self, archs: Archs) -> Floats:
        """The maxima, shape `(n,)`."""
        return np.asarray(np.max([one(archs) / scale for one, scale in zip(self.sums, self.scales, strict=True)], axis=0))

    @classmethod
    def of(cls, objective: Objective, space: SearchSpace) -> Highest | None:
        """The sums behind an objective that is the worst of several devices; None for another one, and where one of them is no sum."""
        if not isinstance(objective.source, WorstTable):
            return None
        sums = tuple(Additive.of(part, space) for part in objective.source.objectives)
        known = tuple(one for one in sums if one is not None)
        return cls(known, objective.source.references) if len(known) == len(sums) else None


Model = Additive | Highest


def model_of(objective: Objective, space: SearchSpace) -> Model | None:
    """The sum that an objective is, or the sums that it is the highest of; None where it is neither."""
    return Highest.of(objective, space) or Additive.of(objective, space)


def distinct_sums(models: Iterable[Model]) -> list[Additive]:
    """Every different sum of the models, in order."""
    found: list[Additive] = []
    for model in models:
        for one in model.sums if isinstance(model, Highest) else (model,):
            if not any(_equal(one, other) for other in found):
                found.append(one)
    return found


def exact_front_of(space: SearchSpace, models: Sequence[Model], bounds: Floats) -> ExactFront:
    """The front of the models, all minimised, within upper `bounds` `(m,)`; its values are those of the models, `(n, m)`.

    Raises InputError as `exact_front` does: there may be at most three different sums.
    """
    sums = distinct_sums(models)
    found = exact_front(space, sums, np.array([_bound(one, models, bounds) for one in sums]))
    if len(sums) == len(models) and not any(isinstance(model, Highest) for model in models):
        return found
    values = np.column_stack([model(found.archs) for model in models])
    kept = np.flatnonzero(non_dominated(values))
    gap = np.array([_gap(model, sums, found.gap) for model in models])
    return ExactFront(found.archs[kept], values[kept], gap, found.operations)


def _bound(one: Additive, models: Sequence[Model], bounds: npt.ArrayLike) -> float:
    """The tightest bound that those of the models put on one sum."""
    tightest = np.inf
    for model, bound in zip(models, np.asarray(bounds, dtype=np.float64).tolist(), strict=True):
        if isinstance(model, Highest):
            scales = [scale for other, scale in zip(model.sums, model.scales, strict=True) if _equal(one, other)]
            tightest = min([tightest, *(bound * scale for scale in scales)])
        elif _equal(one, model):
            tightest = min(tightest, bound)
    return tightest


def _gap(model: Model, sums: Sequence[Additive], gap: Floats) -> float:
    """What a gap in the sums is in a model of them."""
    parts, scales = (model.sums, model.scales) if isinstance(model, Highest) else ((model,), (1.0,))
    places = [next(i for i, other in enumerate(sums) if _equal(one, other)) for one in parts]
    return max(float(gap[place]) / scale for place, scale in zip(places, scales, strict=True))


def _equal(one: Additive, other: Additive) -> bool:
    return one is other or (
        one.constant == other.constant and all(np.array_equal(a, b) for a, b in zip(one.tables, other.tables, strict=True))
    )
