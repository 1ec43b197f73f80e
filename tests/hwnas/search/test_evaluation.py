"""Which objectives are computed, in which order, and what the rows say."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.objectives import Constraint, Objective
from hwnas.search.base import Problem
from hwnas.search.evaluation import Evaluator

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
ARCHS = np.unique(SPACE.sample(12, np.random.default_rng(0)), axis=0)
IDS = range(1, len(ARCHS) + 1)


def rows_of(evaluator, ids=IDS, archs=ARCHS):
    return [row for group in evaluator(ids, archs) for row in group]


def test_cheap_objectives_alone_are_one_call_and_one_commit():
    calls = []
    cheap = toy.cost(lambda archs: calls.append(len(archs)) or toy.latency(archs))
    groups = list(Evaluator(Problem(SPACE, (cheap,)))(IDS, ARCHS))
    assert calls == [len(ARCHS)]
    assert len(groups) == 1
    assert [row.id for row in groups[0]] == list(IDS)
    assert [row.estimates[0][0] for row in groups[0]] == toy.latency(ARCHS).tolist()
    assert all(row.seconds > 0 and row.started.endswith("Z") for row in groups[0])


def test_every_expensive_evaluation_ends_a_group():
    evaluator = Evaluator(Problem(SPACE, (toy.score(), toy.cost()), (Constraint("latency_ms", "<=", 1.0),)))
    groups = list(evaluator(IDS, ARCHS))
    feasible = toy.latency(ARCHS) <= 1.0
    assert 0 < feasible.sum() < len(ARCHS)
    assert sum(row.status == "ok" for group in groups for row in group) == feasible.sum()
    assert all([row.status == "ok" for row in group] == [False] * (len(group) - 1) + [True] for group in groups[:-1])
    assert [row.id for group in groups for row in group] == list(IDS)


def test_intervals_are_kept():
    objective = toy.cost(lambda archs: (toy.latency(archs), toy.latency(archs) - 0.1, toy.latency(archs) + 0.3))
    row = rows_of(Evaluator(Problem(SPACE, (objective,))))[0]
    value = toy.latency(ARCHS)[0]
    assert row.estimates == ((value, value - 0.1, value + 0.3),)


def test_a_failed_row_lacks_an_estimate_and_spends_nothing_more():
    called = []

    def later(archs):
        called.append(archs)
        return np.zeros(1)

    failing = toy.score(lambda archs: np.array([np.nan]))
    objectives = (failing, Objective("robustness", "", "max", True, later, (0.0, 1.0)), toy.cost())
    rows = rows_of(Evaluator(Problem(SPACE, objectives)))
    assert not called
    assert {row.status for row in rows} == {"failed"}
    assert all(row.estimates[0] is None and row.estimates[1] is None and row.estimates[2] for row in rows)
    assert {row.error for row in rows} == {"accuracy is nan"}


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ((0.5, -np.inf, 0.6), "the interval of accuracy is -inf to 0.6"),
        ((0.5, 0.4, np.nan), "the interval of accuracy is 0.4 to nan"),
        ((-0.5, -0.5, -0.5), "accuracy is -0.5, outside its bounds 0 to 1"),
        ((np.inf, 0.0, np.inf), "accuracy is inf"),
    ],
)
def test_numbers_that_are_none_fail(result, error):
    objective = toy.score(lambda archs: tuple(np.full(len(archs), number) for number in result))
    (row, *_) = rows_of(Evaluator(Problem(SPACE, (objective,))))
    assert (row.status, row.error, row.estimates) == ("failed", error, (None,))


def test_a_cheap_failure_is_a_failure_even_where_a_constraint_is_violated():
    odd = toy.cost(lambda archs: np.where(archs[:, 0] == 5, np.nan, 1.0), "macs", "")
    rows = rows_of(Evaluator(Problem(SPACE, (toy.cost(), odd), (Constraint("latency_ms", "<=", 0.9),))))
    deep = ARCHS[:, 0] == 5
    assert deep.any()
    assert [row.status == "failed" for row in rows] == deep.tolist()


def test_violation_adds_up_what_is_known():
    constraints = (Constraint("latency_ms", "<=", 1.0), Constraint("accuracy", ">=", 0.5))
    evaluator = Evaluator(Problem(SPACE, (toy.score(), toy.cost()), constraints))
    assert evaluator.violation([(0.25,) * 3, (1.5,) * 3]) == pytest.approx(1.0)
    assert evaluator.violation([None, (1.5,) * 3]) == pytest.approx(0.5)
    assert evaluator.violation([None, None]) == 0.0
