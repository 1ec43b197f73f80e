"""The exact front of objectives that are the highest of several sums, against looking at everything."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.devices import per_device
from hwnas.front import non_dominated
from hwnas.objectives import Objective, as_constraints, as_objectives
from hwnas.search import Problem, search
from hwnas.search.additive import Additive
from hwnas.search.algorithms import choose, make
from hwnas.search.exact_front import exact_front
from hwnas.search.worst_of_sums import Highest, distinct_sums, exact_front_of, model_of

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(5, 3)


def additive(name, direction, seed):
    rng, (depth, _) = np.random.default_rng(seed), np.divmod(np.arange(15), 3)
    tables = tuple(np.where(i <= depth, 0.1 + rng.random(15), 0.0) for i in range(5))
    model = Additive(SPACE, tables, 0.3 if direction == "min" else 0.0)
    return Objective(name, "ms" if direction == "min" else "", direction, False, model, source=model)


GAIN = additive("gain", "max", 0)
DEVICES = {name: additive("latency_ms", "min", seed) for seed, name in enumerate(("pi", "xeon", "tpu"), 1)}
TWO = {name: DEVICES[name] for name in ("pi", "xeon")}


def objectives(devices=TWO, references=None):
    return as_objectives([GAIN, *per_device(devices, references)], SPACE)


def everything():
    return np.unique(SPACE.canonical(np.indices(SPACE.cardinalities).reshape(6, -1).T), axis=0)


def true_front(described, keep=lambda values: values):
    values = keep(np.column_stack([o.sign * o.evaluate(everything()).values for o in described]))
    return np.unique(values[non_dominated(values)].round(9), axis=0)


@pytest.mark.parametrize("references", [None, {"pi": 2.0, "xeon": 0.7}, "largest"])
@pytest.mark.parametrize("bound", [np.inf, 0.8])
def test_the_robust_front_is_the_true_one(references, bound):
    gain, *_, worst = objectives(references=references)
    pair = (gain, worst)
    models = [model_of(o, SPACE) for o in pair]
    limit = np.median(worst.evaluate(everything()).values) if np.isfinite(bound) else np.inf
    found = exact_front_of(SPACE, models, np.array([np.inf, limit]))
    assert (found.gap == 0).all()
    np.testing.assert_allclose(np.unique(found.values.round(9), axis=0), true_front(pair, lambda v: v[v[:, 1] <= limit]))
    described = np.column_stack([o.sign * o.evaluate(found.archs).values for o in pair])
    np.testing.assert_allclose(found.values, described)


def test_every_device_and_the_worst_are_no_more_sums_than_the_devices():
    described = objectives()
    models = [model_of(o, SPACE) for o in described]
    assert isinstance(models[-1], Highest)
    assert len(distinct_sums(models)) == 3
    found = exact_front_of(SPACE, models, np.full(4, np.inf))
    np.testing.assert_allclose(np.unique(found.values.round(9), axis=0), true_front(described))


def test_without_a_worst_it_is_the_exact_front():
    models = [model_of(o, SPACE) for o in objectives()[:3]]
    bounds = np.array([np.inf, 1.5, np.inf])
    one, other = exact_front_of(SPACE, models, bounds), exact_front(SPACE, models, bounds)
    np.testing.assert_array_equal(one.archs, other.archs)
    np.testing.assert_array_equal(one.values, other.values)


def test_objectives_that_are_the_same_sum_keep_a_column_each():
    gain, pi, *_ = objectives()
    models = [model_of(o, SPACE) for o in (gain, pi, pi)]
    found = exact_front_of(SPACE, models, np.full(3, np.inf))
    np.testing.assert_array_equal(found.values[:, 1], found.values[:, 2])
    assert len(found.values) == len(true_front((gain, pi)))


def test_a_gap_in_a_sum_is_one_in_the_worst(monkeypatch):
    from hwnas.search import exact_front as module

    gain, *_, worst = objectives(references={"pi": 2.0, "xeon": 0.5})
    monkeypatch.setitem(module.LIMITS, 3, 20)
    models = [model_of(o, SPACE) for o in (gain, worst)]
    found = exact_front_of(SPACE, models, np.full(2, np.inf))
    assert found.gap.max() > 0
    for best in true_front((gain, worst)):
        assert (found.values <= best + found.gap + 1e-9).all(axis=1).any()


def test_auto_takes_the_exact_front_of_two_devices_and_says_why_not_of_three(tmp_path):
    two = (GAIN, *per_device(TWO))
    run = search(SPACE, two, ["worst_latency_ms <= 3"], "auto", 60, 0, out=tmp_path)
    assert run.spec["algorithm"] == "exact"
    why = "gain and pi_latency_ms and xeon_latency_ms are sums over the parts of toy and worst_latency_ms is the highest of such sums"
    assert run.spec["chosen_because"] == why
    found = np.unique(run.fronts()["worst"].costs().round(9), axis=0)
    np.testing.assert_allclose(found, true_front((GAIN, objectives()[-1]), lambda v: v[v[:, 1] <= 3]))
    three = Problem(SPACE, objectives(DEVICES))
    assert choose(three) == ("surrogate", "an exact front is one of at most three sums over the parts of toy, not 4")
    with pytest.raises(InputError, match=r"at most three sums \(the worst of several devices is as many\), got 4"):
        make("exact", three, 0, {})


def test_auto_says_when_a_device_is_no_sum():
    described = as_objectives([GAIN, *per_device({**TWO, "xeon": toy.cost(lambda archs: archs[:, 0] ** 2 * archs[:, 1] + 1.0)})], SPACE)
    name, why = choose(Problem(SPACE, described))
    assert name == "surrogate"
    assert why == "xeon_latency_ms and worst_latency_ms are not a sum over the parts of toy"


def test_a_bound_on_the_worst_is_one_on_every_device():
    described = objectives(references={"pi": 2.0, "xeon": 0.5})
    problem = Problem(SPACE, described, as_constraints(["worst_latency_share <= 1.9"], described))
    found = make("exact", problem, 0, {}).ask(500)
    assert len(found)
    assert (described[1].evaluate(found).values <= 3.8).all()
    assert (described[2].evaluate(found).values <= 0.95).all()
