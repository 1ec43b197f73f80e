"""What a run records about itself before the first evaluation, and whether a resumed run is still the same."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.objectives import Objective
from hwnas.run import Run
from hwnas.search.base import Problem
from hwnas.search.estimate import estimate
from hwnas.spaces.base import SearchSpace
from hwnas.storage import dumps

#: Keys that a resumed run may have otherwise: where it runs and how it was called do not change what it finds.
FREE = ("command", "versions", "hypervolume_reference", "evaluations", "budget_s", "spent_s", "seed", "stopped")
#: Random architectures that show the range of a cheap objective.
REFERENCE_SAMPLES = 256


def make_spec(
    problem: Problem, algorithm: str, options: Mapping[str, Any], limits: tuple[int | None, float | None], seed: int | None,
    extra: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """The spec of a run as plain JSON; the seed may still be None, and the reference is missing. `limits`: evaluations and seconds.

    Raises InputError when `extra` uses a key that is taken or holds something that is not JSON.
    """
    spec: dict[str, Any] = {
        "space": problem.space.spec(),
        "objectives": [objective.spec() for objective in problem.objectives],
        "constraints": [str(constraint) for constraint in problem.constraints],
        "algorithm": algorithm,
        "options": dict(options),
        "evaluations": limits[0],
        "budget_s": limits[1],
        "seed": seed,
    }
    taken = sorted(extra.keys() & {*spec, "hypervolume_reference", "stopped", "spent_s"})
    if taken:
        raise InputError(f"extra_spec cannot set {taken[0]!r}: the search writes it")
    try:
        plain: dict[str, Any] = json.loads(dumps({"versions": versions(), **extra, **spec}))
    except (TypeError, ValueError) as error:
        raise InputError(f"the spec of a run must be JSON: {error}") from error
    return plain


def versions() -> dict[str, str]:
    """The versions that a result can depend on."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in ("hwnas", "numpy", "pymoo", "moocore"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_same(run: Run, asked: Mapping[str, Any]) -> int:
    """The seed of a run that is resumed; every key asked for now must be as recorded, and the number of evaluations may only grow.

    Raises InputError that names the first difference.
    """
    recorded = run.spec
    for key, value in asked.items():
        if key not in FREE:
            difference = _difference(key, _settled(recorded.get(key)), _settled(value))
            if difference:
                raise _other(run, *difference)
    if asked["seed"] not in (None, recorded["seed"]):
        raise _other(run, "seed", recorded["seed"], asked["seed"])
    made = recorded["evaluations"] or sum(run.counts().values())
    if asked["evaluations"] is not None and asked["evaluations"] < made:
        raise InputError(f"{run.path} was made for {made} evaluations, not {asked['evaluations']}: their number may only grow")
    return int(recorded["seed"])


def _settled(value: Any) -> Any:
    """A record without the paths at which its subjects were found: what they are say their hashes; they may have been moved."""
    return {key: _settled(item) for key, item in value.items() if key != "path"} if isinstance(value, dict) else value


def _other(run: Run, what: str, recorded: Any, asked: Any) -> InputError:
    texts = [text if len(text) <= 80 else f"{text[:77]}..." for text in (dumps(recorded), dumps(asked))]
    return InputError(f"{run.path} was made with {what} {texts[0]}, not {texts[1]}: resume it as it was, or choose another --out")


def _difference(path: str, old: Any, new: Any) -> tuple[str, Any, Any] | None:
    """The first place where two JSON values differ, as (path, old, new)."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(f"{path}.{key}", old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys())]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(old, new, strict=True))]
    else:
        return None if type(old) is type(new) and old == new else (path, old, new)
    return next((found for found in (_difference(*pair) for pair in pairs) if found), None)


def hypervolume_reference(problem: Problem) -> dict[str, float]:
    """The reference point by objective, in natural direction, fixed before anything is found.

    The worse bound where an objective has a finite one; else, for a cheap objective, a tenth of its range beyond the worst of the smallest,
    the largest and `REFERENCE_SAMPLES` random architectures of a fixed seed; else 0 for one that is maximised.
    Raises InputError for an expensive objective that is minimised and has no bounds.
    """
    return {objective.name: _worst(objective, problem.space) for objective in problem.objectives}


def _worst(objective: Objective, space: SearchSpace) -> float:
    minimise = objective.direction == "min"
    bound = objective.bounds[1 if minimise else 0] if objective.bounds else np.inf
    if np.isfinite(bound):
        return float(bound)
    if objective.expensive:
        if minimise:
            raise InputError(
                f"{objective.name} is expensive and minimised: give it bounds=(low, high), for the hypervolume needs a fixed reference"
            )
        return 0.0
    rng = np.random.Generator(np.random.PCG64(0))
    estimates, errors = estimate(objective, np.concatenate([space.smallest(), space.largest(), space.sample(REFERENCE_SAMPLES, rng)]))
    values = estimates.values[np.isfinite(estimates.values)]
    if len(values) == 0:
        reason = next((error for error in errors if error), f"it is {estimates.values[0]}")
        raise InputError(f"{objective.name} fails for every architecture tried: {reason}")
    low, high = float(values.min()), float(values.max())
    margin = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return high + margin if minimise else low - margin
