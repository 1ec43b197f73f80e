"""Architectures that meet cheap constraints: found in bounded time, or an error that helps."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from hwnas.objectives import Constraint
from hwnas.search.feasible import TRIES, FeasibleSampler, enumerate_space, reachable

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
LARGE = toy.ToySpace(20, 8)


def sampler(*texts, space=SPACE, objectives=None):
    return FeasibleSampler(space, objectives or (toy.score(), toy.cost()), [Constraint.parse(text) for text in texts])


def test_without_constraints_it_is_the_sampling_of_the_space():
    np.testing.assert_array_equal(sampler()(9, np.random.default_rng(0)), SPACE.sample(9, np.random.default_rng(0)))
    assert sampler().feasible(SPACE.largest()).all()
    sampler().check()


def test_everything_drawn_is_feasible_canonical_and_as_many_as_asked():
    draw = sampler("latency_ms <= 1.2", "latency_ms > 0.6")
    archs = draw(200, np.random.default_rng(0))
    assert archs.shape == (200, 7)
    np.testing.assert_array_equal(SPACE.canonical(archs), archs)
    assert ((toy.latency(archs) <= 1.2) & (toy.latency(archs) > 0.6)).all()


def test_rejection_keeps_the_distribution():
    archs = sampler("latency_ms <= 1.2")(4000, np.random.default_rng(0))
    plain = SPACE.sample(20000, np.random.default_rng(1))
    plain = plain[toy.latency(plain) <= 1.2]
    share = [np.bincount(rows[:, 0], minlength=6) / len(rows) for rows in (archs, plain)]
    np.testing.assert_allclose(share[0], share[1], atol=0.03)


def test_what_chance_would_never_hit_is_reached_by_descent():
    draws = 0

    def counted(archs):
        nonlocal draws
        draws += len(archs)
        return toy.latency(archs)

    bound = float(toy.latency(LARGE.smallest())[0]) + 4.2  # of 20 blocks with 8 widths: under one in a million, of any depth that counts
    deep = toy.cost(lambda archs: -archs[:, 0].astype(float), "shallowness", "")
    found = sampler(f"latency_ms <= {bound}", "shallowness <= -19", space=LARGE, objectives=(toy.cost(counted), deep))(
        24, np.random.default_rng(0)
    )
    assert len(found) == 24
    assert (toy.latency(found) <= bound).all()
    assert (found[:, 0] == 19).all()
    assert len(np.unique(found, axis=0)) > 12
    assert TRIES <= draws < 5_000_000


def test_a_sampler_that_finds_nothing_comes_back():
    assert len(sampler("latency_ms <= 0.01")(5, np.random.default_rng(0))) == 0


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["latency_ms <= 0.021"],
            "no architecture with latency_ms <= 0.021 found: the smallest latency_ms seen is 0.2; try latency_ms <= 0.2",
        ),
        (["latency_ms < 0.2"], "no architecture with latency_ms < 0.2 found: the smallest latency_ms seen is 0.2; try latency_ms < 0.201"),
        (["latency_ms >= 9"], "no architecture with latency_ms >= 9 found: the largest latency_ms seen is 1.96; try latency_ms >= 1.96"),
    ],
)
def test_the_nearest_bound_is_named_and_can_be_met(texts, message):
    with pytest.raises(InputError) as caught:
        sampler(*texts).check()
    assert str(caught.value) == message
    sampler(message.rpartition("try ")[2]).check()


def test_bounds_that_exclude_each_other_name_the_nearest_architecture():
    waste = toy.cost(lambda archs: 2.0 - toy.latency(archs), "waste", "")
    with pytest.raises(
        InputError, match=r"no architecture with latency_ms <= 0.5 and waste <= 1 found: the nearest seen has latency_ms .* and waste"
    ) as caught:
        sampler("latency_ms <= 0.5", "waste <= 1", objectives=(toy.cost(), waste)).check()
    assert "; try " in str(caught.value)


def test_constraints_on_expensive_objectives_are_left_to_the_evaluation():
    def never(archs):
        raise AssertionError

    assert sampler("accuracy >= 0.9", objectives=(toy.score(never), toy.cost())).feasible(SPACE.largest()).all()


def test_an_objective_that_fails_is_never_feasible():
    def broken(archs):
        if (archs[:, 0] > 2).any():
            raise ValueError("too deep")
        return toy.latency(archs)

    draw = sampler("latency_ms <= 9", objectives=(toy.cost(broken),))
    assert (draw(20, np.random.default_rng(0))[:, 0] <= 2).all()
    nan = toy.cost(lambda archs: np.full(len(archs), np.nan))
    with pytest.raises(InputError, match="latency_ms fails for every architecture tried"):
        sampler("latency_ms <= 9", objectives=(nan,)).check()


@given(st.floats(-1e9, 1e9).filter(lambda x: abs(x) > 1e-9), st.sampled_from(["<=", "<", ">=", ">"]))
def test_a_reachable_bound_is_met_and_near(value, relation):
    offered = Constraint.parse(reachable(Constraint("x", relation, 0.0), value))
    assert offered.violation([value])[0] == 0
    assert math.isclose(offered.bound, value, rel_tol=0.021)


def test_small_spaces_are_enumerated_and_large_ones_are_not():
    space = toy.ToySpace(3, 2)
    archs = enumerate_space(space)
    assert len(archs) == len(np.unique(archs, axis=0)) == space.size
    np.testing.assert_array_equal(space.canonical(archs), archs)
    assert enumerate_space(LARGE) is None
