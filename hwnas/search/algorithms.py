"""The algorithms by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from device_profiles.errors import InputError, unknown
from hwnas.search.base import Optimiser, Problem
from hwnas.search.nsga2 import Nsga2
from hwnas.search.random_search import RandomSearch

#: Name -> class; each class says in one line what it is (`description`) and where it comes from (`paper`). Add your own under a new name.
ALGORITHMS: dict[str, type[Optimiser]] = {"nsga2": Nsga2, "random": RandomSearch}


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
