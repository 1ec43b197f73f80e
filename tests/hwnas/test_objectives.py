"""Objectives and constraints: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.errors import InputError
from hwnas.objectives import Constraint, Objective, as_constraints, as_objective, as_objectives, minimised

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "search" / "toy_space.py")))
SPACE = toy.ToySpace()


class Table:
    """What a predictor compiles a space into."""

    def price(self, archs):
        return toy.latency(archs)

    def interval(self, archs):
        return np.column_stack([0.9 * toy.latency(archs), 1.2 * toy.latency(archs)])


class Cost:
    """What a predictor offers as an objective."""

    name, unit = "latency_ms", "ms"

    def __init__(self):
        self.compiled = []

    def compile(self, space):
        self.compiled.append(space)
        return Table()


class Accuracy:
    """What a super-network offers as an objective."""

    name, unit, direction, expensive, bounds = "accuracy", "share", "max", True, (0.0, 1.0)

    def __call__(self, archs):
        return toy.accuracy(archs)


def test_a_cost_becomes_a_cheap_objective_with_its_interval():
    cost = Cost()
    objective = as_objective(cost, SPACE)
    assert (objective.name, objective.unit, objective.direction, objective.expensive) == ("latency_ms", "ms", "min", False)
    assert cost.compiled == [SPACE]
    assert isinstance(objective.source, Table)
    archs = SPACE.sample(5, np.random.default_rng(0))
    values, lows, highs = objective.evaluate(archs)
    np.testing.assert_array_equal(values, toy.latency(archs))
    np.testing.assert_allclose(lows, 0.9 * values)
    np.testing.assert_allclose(highs, 1.2 * values)


def test_a_described_callable_keeps_its_description():
    objective = as_objective(Accuracy(), SPACE)
    assert (objective.direction, objective.expensive, objective.bounds, objective.origin) == ("max", True, (0.0, 1.0), "measured")
    archs = SPACE.smallest()
    assert objective.evaluate(archs).values == toy.accuracy(archs)


def test_a_callable_says_on_which_device_it_times():
    timing = Accuracy()
    assert as_objective(timing, SPACE).timed_on is None
    timing.timed_on = "board"
    assert as_objective(timing, SPACE).timed_on == "board"


def test_an_objective_stays_what_it_is():
    objective = toy.cost()
    assert as_objective(objective, SPACE) is objective


@pytest.mark.parametrize(
    "thing", [3, "latency_ms", lambda archs: archs[:, 0], SimpleNamespace(name="x", unit="", direction="min", expensive=True)]
)
def test_anything_else_is_refused_in_one_line(thing):
    with pytest.raises(InputError, match="not an objective") as caught:
        as_objective(thing, SPACE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "latency ms"}, "letters, digits and underscores"),
        ({"name": 'x" REAL); DROP TABLE spec; --'}, "letters, digits and underscores"),
        ({"name": "Status"}, "taken"),
        ({"name": "latency_low"}, "taken"),
        ({"name": "latency_ms", "unit": "s"}, "latency_ms is in ms by its name, not in 's'"),
        ({"direction": "down"}, "'min' or 'max'"),
        ({"fn": 3}, "needs a function"),
        ({"bounds": (1.0, 0.0)}, "low < high"),
        ({"bounds": (0.0, math.nan)}, "low < high"),
        ({"origin": "guessed"}, "origin"),
    ],
)
def test_a_wrong_description_is_refused(change, message):
    right = {"name": "latency_ms", "unit": "ms", "direction": "min", "expensive": False, "fn": toy.latency}
    if "unit" not in change and "name" in change:
        right["unit"] = ""
    with pytest.raises(InputError, match=message):
        Objective(**{**right, **change})


def test_plain_values_are_exact_and_intervals_hold_their_value():
    plain = toy.cost().evaluate(SPACE.largest())
    assert plain.values == plain.lows == plain.highs
    odd = toy.cost(lambda archs: (toy.latency(archs), toy.latency(archs) + 1, toy.latency(archs) - 1)).evaluate(SPACE.largest())
    assert odd.lows == odd.values == odd.highs


def test_a_scalar_is_one_value_and_minus_zero_is_zero():
    estimates = toy.cost(lambda archs: -0.0).evaluate(SPACE.largest())
    assert estimates.values.shape == (1,)
    assert math.copysign(1.0, estimates.values[0]) == 1.0


@pytest.mark.parametrize(
    "wrong", [lambda a: 1.0, lambda a: np.zeros((len(a), 1)), lambda a: (toy.latency(a), toy.latency(a)), lambda a: np.zeros(1)]
)
def test_a_wrong_shape_is_named(wrong):
    with pytest.raises(InputError, match="must return 2 values"):
        toy.cost(wrong).evaluate(np.concatenate([SPACE.smallest(), SPACE.largest()]))


def test_a_function_cannot_change_the_architectures():
    def vandal(archs):
        archs[:] = 0
        return np.zeros(len(archs))

    archs = SPACE.largest()
    toy.cost(vandal).evaluate(archs)
    np.testing.assert_array_equal(archs, SPACE.largest())


def test_duplicates_and_nothing_are_refused():
    with pytest.raises(InputError, match="latency_ms is given twice"):
        as_objectives([toy.cost(), toy.score(), toy.cost()], SPACE)
    with pytest.raises(InputError, match="given twice"):  # sqlite columns do not tell upper from lower case
        as_objectives([toy.cost(name="a", unit=""), toy.cost(name="A", unit="")], SPACE)
    with pytest.raises(InputError, match="at least one"):
        as_objectives([], SPACE)
    with pytest.raises(InputError, match="as a list"):
        as_objectives(toy.cost(), SPACE)


@pytest.mark.parametrize(
    ("text", "name", "relation", "bound"),
    [
        ("latency_ms <= 20", "latency_ms", "<=", 20.0),
        ("latency_ms<=20", "latency_ms", "<=", 20.0),
        (" accuracy >= .9 ", "accuracy", ">=", 0.9),
        ("macs < 1.5e6", "macs", "<", 1.5e6),
        ("x > -3", "x", ">", -3.0),
    ],
)
def test_constraints_are_read(text, name, relation, bound):
    assert Constraint.parse(text) == Constraint(name, relation, bound)


@pytest.mark.parametrize(
    "text",
    ["", "latency_ms", "latency_ms <= ", "latency_ms <= 20ms", "latency_ms <= nan", "latency_ms <= inf", "latency_ms <= 1e999",
     "5 <= latency_ms", "latency_ms == 5", "latency_ms <= 5; DROP TABLE spec", "a <= 1 <= 2", None, 5],
)  # fmt: skip
def test_wrong_constraints_are_repeated_and_the_right_form_is_shown(text):
    with pytest.raises(InputError, match="latency_ms <= 20") as caught:
        Constraint.parse(text)
    assert repr(text) in str(caught.value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["<=", "<", ">=", ">"]))
def test_the_text_of_a_constraint_means_the_constraint(bound, relation):
    constraint = Constraint("latency_ms", relation, bound)
    assert Constraint.parse(str(constraint)) == constraint


@settings(max_examples=300)
@given(st.floats(allow_nan=False), st.floats(-1e6, 1e6), st.sampled_from(["<=", "<", ">=", ">"]))
def test_violation_is_zero_exactly_where_the_constraint_holds(value, bound, relation):
    holds = {"<=": value <= bound, "<": value < bound, ">=": value >= bound, ">": value > bound}[relation]
    assert (Constraint("x", relation, bound).violation([value])[0] == 0) == holds


def test_violation_is_relative_and_nan_is_infinite():
    np.testing.assert_allclose(Constraint.parse("x <= 20").violation([10, 20, 30, np.nan]), [0, 0, 0.5, np.inf])
    np.testing.assert_allclose(Constraint.parse("x >= 0").violation([-2, 1]), [2, 0])
    np.testing.assert_array_equal(Constraint.parse("x <= 1e-320").violation([1e9, np.inf]), [1e100, 1e100])


def test_constraints_that_cannot_hold_are_refused():
    objectives = (toy.score(), toy.cost())
    with pytest.raises(InputError, match=r"unknown .* 'latency': did you mean 'latency_ms'"):
        as_constraints(["latency <= 5"], objectives)
    with pytest.raises(InputError, match="latency_ms <= 5 and latency_ms >= 6 contradict"):
        as_constraints(["latency_ms <= 5", "latency_ms >= 6"], objectives)
    with pytest.raises(InputError, match="contradict"):
        as_constraints(["latency_ms < 5", "latency_ms >= 5"], objectives)
    with pytest.raises(InputError, match="accuracy lies between 0 and 1"):  # a percentage where a share is meant
        as_constraints(["accuracy >= 97"], objectives)
    assert len(as_constraints(["latency_ms <= 5", "latency_ms >= 5", "accuracy > 0.5"], objectives)) == 3
    assert as_constraints("latency_ms <= 5", objectives) == (Constraint("latency_ms", "<=", 5.0),)


def test_minimisation_form():
    np.testing.assert_array_equal(minimised([[0.9, 2.0]], ["max", "min"]), [[-0.9, 2.0]])
