"""The exact front as a search."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.front import non_dominated
from hwnas.objectives import Objective
from hwnas.search import Problem, search
from hwnas.search.additive import Additive
from hwnas.search.algorithms import choose, make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()


def additive(name, direction, seed, **more):
    rng, (depth, _) = np.random.default_rng(seed), np.divmod(np.arange(24), 4)
    model = Additive(SPACE, tuple(np.where(i <= depth, rng.random(24), 0.0) for i in range(6)))
    # Configurations beyond the depth cost nothing, whatever the width.
    return Objective(name, "", direction, False, model, source=model, **more)


PAIR = (additive("gain", "max", 0), additive("macs", "min", 1))


def everything():
    return np.unique(SPACE.canonical(np.indices(SPACE.cardinalities).reshape(7, -1).T), axis=0)


def values_of(objectives, archs):
    return np.column_stack([o.sign * o.evaluate(archs).values for o in objectives])


def test_asks_for_the_true_front_first(tmp_path):
    values = values_of(PAIR, everything())
    true = np.unique(values[non_dominated(values)].round(9), axis=0)
    run = search(SPACE, PAIR, algorithm="auto", evaluations=len(true), seed=0, out=tmp_path)
    assert run.spec["algorithm"] == "exact"
    assert run.spec["chosen_because"] == "gain and macs are sums over the parts of toy"
    np.testing.assert_allclose(np.unique(run.front().costs().round(9), axis=0), true)


def test_bounds_from_above_are_kept_in_the_computation(tmp_path):
    run = search(SPACE, PAIR, ["macs <= 1.0", "gain >= 0.5"], "exact", 30, 0, out=tmp_path)
    values = values_of(PAIR, everything())
    values = values[(values[:, 1] <= 1.0) & (values[:, 0] <= -0.5)]
    true = np.unique(values[non_dominated(values)].round(9), axis=0)
    np.testing.assert_allclose(np.unique(run.front().costs().round(9), axis=0), true)


def test_what_is_not_additive_is_modelled_and_refitted(tmp_path):
    pytest.importorskip("moocore")
    objectives = (toy.score(), toy.cost())
    exact, random = (
        search(SPACE, objectives, algorithm=name, evaluations=100, seed=0, out=tmp_path / name) for name in ("exact", "random")
    )
    reference = {"accuracy": 0.5, "latency_ms": 2.0}
    assert exact.front().hypervolume(reference) > random.front().hypervolume(reference)


def test_auto_says_why_not():
    assert choose(Problem(SPACE, (toy.score(), PAIR[1]))) == ("surrogate", "accuracy is not a sum over the parts of toy")
    four = tuple(additive(f"o{i}", "min", i) for i in range(4))
    assert choose(Problem(SPACE, four))[1] == "an exact front is one of at most three sums over the parts of toy, not 4"
    with pytest.raises(InputError, match=r"exact takes objectives of at most three sums .*, got 4"):
        make("exact", Problem(SPACE, four), 0, {})
    from hwnas.objectives import as_constraints

    lower = as_constraints(["macs >= 1"], PAIR)
    assert choose(Problem(SPACE, PAIR, lower)) == ("surrogate", "an exact front knows no bound from the good side, such as macs >= 1")
    assert choose(Problem(SPACE, (replace(PAIR[0], expensive=True), PAIR[1])))[0] == "surrogate"
