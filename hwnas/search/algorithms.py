"""The algorithms by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from device_profiles.errors import InputError, unknown
from hwnas.search.additive import Additive
from hwnas.search.base import Optimiser, Problem
from hwnas.search.coordinate_descent import CoordinateDescent
from hwnas.search.differentiable import Differentiable
from hwnas.search.evolution import RegularisedEvolution
from hwnas.search.exact import ExactSearch
from hwnas.search.exact_front import GROUPS, joint_groups
from hwnas.search.flash import Flash
from hwnas.search.local_search import LocalSearch
from hwnas.search.manas import Manas
from hwnas.search.manas_ls import ManasLs
from hwnas.search.nsga2 import Nsga2
from hwnas.search.nsga3 import Nsga3
from hwnas.search.progressive import Progressive
from hwnas.search.random_search import RandomSearch
from hwnas.search.surrogate_assisted import SurrogateAssisted
from hwnas.search.worst_of_sums import Highest, Model, distinct_sums, model_of

#: Name -> class; each class says in one line what it is (`description`) and where it comes from (`paper`). Add your own under a new name.
ALGORITHMS: dict[str, type[Optimiser]] = {
    "coordinate": CoordinateDescent, "differentiable": Differentiable, "evolution": RegularisedEvolution, "exact": ExactSearch,
    "flash": Flash, "local": LocalSearch,
    "manas": Manas, "manas_ls": ManasLs, "nsga2": Nsga2, "nsga3": Nsga3, "progressive": Progressive, "random": RandomSearch,
    "surrogate": SurrogateAssisted,
}  # fmt: skip

#: The name that lets hwnas choose.
AUTO = "auto"


def choose(problem: Problem) -> tuple[str, str]:
    """The algorithm for a problem, and why, in one line: exact where it applies, surrogate-assisted otherwise."""
    objectives, space = problem.objectives, problem.space
    models = [None if objective.expensive else model_of(objective, space) for objective in objectives]
    rough = [objective.name for objective, model in zip(objectives, models, strict=True) if model is None]
    if rough:
        return "surrogate", f"{' and '.join(rough)} {'are' if len(rough) > 1 else 'is'} not a sum over the parts of {space.name}"
    sums = len(distinct_sums(model for model in models if model is not None))
    if sums > 3:
        return "surrogate", f"an exact front is one of at most three sums over the parts of {space.name}, not {sums}"
    wrong = [str(c) for c in problem.constraints for o in objectives if o.name == c.name and c.upper != (o.direction == "min")]
    if wrong:
        return "surrogate", f"an exact front knows no bound from the good side, such as {wrong[0]}"
    if joint_groups(space) > GROUPS:
        return "surrogate", f"the parts of {space.name} share too many choices for an exact front"
    return "exact", _why_exact(problem, models)


def _why_exact(problem: Problem, models: Sequence[Model | None]) -> str:
    """In one line: which objectives are sums, and which are the highest of several."""
    described = list(zip(problem.objectives, models, strict=True))
    sums, highest = ([o.name for o, model in described if isinstance(model, kind)] for kind in (Additive, Highest))
    texts = [f"{' and '.join(sums)} {'are sums' if len(sums) > 1 else 'is a sum'} over the parts of {problem.space.name}"] if sums else []
    return " and ".join([*texts, *(f"{name} is the highest of such sums" for name in highest)])


def make(name: str, problem: Problem, seed: int, options: Mapping[str, Any]) -> Optimiser:
    """The optimiser of that name, seeded.

    Raises InputError for an unknown name or option (with the nearest known one) and for an option of the wrong type.
    """
    if name not in ALGORITHMS:
        raise unknown("algorithm", name, ALGORITHMS)
    parameters = inspect.signature(ALGORITHMS[name]).parameters.values()
    known = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    for option, value in options.items():
        if option not in known:
            raise unknown(f"option of {name}", option, known)
        if type(value) is not type(known[option]) or (isinstance(value, int) and value < 1):
            raise InputError(f"{name}: {option} cannot be {value!r}; its default is {known[option]!r}")
    # The bit generator is named, so that a later default of numpy does not change what a seed means.
    return ALGORITHMS[name](problem, np.random.Generator(np.random.PCG64(seed)), **options)
