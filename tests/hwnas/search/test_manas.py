"""Multi-agent search beyond what the battery asks of every algorithm."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.objectives import Constraint
from hwnas.search import Problem
from hwnas.search.algorithms import make
from hwnas.search.manas import INITIAL, anytime_temperature

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(4, 4)
ONE = Problem(SPACE, (toy.cost(lambda archs: loss(archs), "loss", ""),))

pytestmark = pytest.mark.parametrize("algorithm", ["manas", "manas_ls"])


def loss(archs):
    """Least for depth 4 and widths 2, 0, 3, 1."""
    mask = np.arange(4) <= archs[:, :1]
    return 9.0 - 2.0 * archs[:, 0] + (mask * np.abs(archs[:, 1:] - np.array([2, 0, 3, 1]))).sum(axis=1)


def driven(optimiser, asks, values):
    for _ in range(asks):
        archs = optimiser.ask(optimiser.batch)
        if len(archs):
            optimiser.tell(archs, values(archs), np.zeros(len(archs)))
    return optimiser


def test_agents_come_to_draw_what_is_best(algorithm):
    optimiser = driven(make(algorithm, ONE, 0, {}), 40, lambda archs: loss(archs)[:, None])
    policy = optimiser.policies(np.ones((1, 1)))[0]
    assert policy[0].argmax() >= 2  # the last block gains little while its width is not found
    assert [int(p[:4].argmax()) for p in policy[1:]] == [2, 0, 3, 1]


def test_what_is_drawn_again_teaches_without_an_evaluation(algorithm):
    optimiser, learnt, told = make(algorithm, ONE, 0, {}), 0, 0
    plain = optimiser.learn

    def counting(archs, *rest):
        nonlocal learnt
        learnt += len(archs)
        plain(archs, *rest)

    optimiser.learn = counting
    for _ in range(25):
        archs = optimiser.ask(optimiser.batch)
        told += len(archs)
        optimiser.tell(archs, loss(archs)[:, None], np.zeros(len(archs)))
    assert told <= SPACE.size
    assert learnt > told + 20


def test_weights_lead_to_either_end_of_the_front(algorithm):
    problem = Problem(SPACE, (toy.score(), toy.cost()))
    optimiser = driven(make(algorithm, problem, 0, {}), 35, lambda archs: np.column_stack([-toy.accuracy(archs), toy.latency(archs)]))
    accurate, cheap = optimiser.policies(np.eye(2))
    assert accurate[0] @ np.arange(4) > cheap[0] @ np.arange(4) + 0.3  # deeper
    widths = np.arange(4)
    assert accurate[1] @ widths > cheap[1] @ widths + 0.3  # wider


def test_what_fails_and_what_a_cheap_constraint_excludes_is_drawn_less(algorithm):
    problem = Problem(SPACE, ONE.objectives, ())
    values = lambda archs: np.where(archs[:, 1] == 2, np.nan, loss(archs))[:, None]  # noqa: E731
    optimiser = driven(make(algorithm, problem, 0, {}), 30, values)
    assert optimiser.policies(np.ones((1, 1)))[0][1].argmax() != 2
    bounded = Problem(SPACE, (toy.score(), toy.cost()), (Constraint("latency_ms", "<=", 0.6),))
    optimiser = driven(make(algorithm, bounded, 0, {}), 30, lambda archs: np.column_stack([-toy.accuracy(archs), toy.latency(archs)]))
    assert optimiser.policies(np.array([[1.0, 0.0]]))[0][0].argmax() <= 1  # of depth 3 and 4 most are too slow


def test_agents_learn_once_the_first_answers_tell_how_losses_spread(algorithm):
    optimiser = make(algorithm, ONE, 0, {})
    nobody = optimiser.policies(np.ones((1, 1)))
    archs = optimiser.ask(INITIAL)
    optimiser.tell(archs[:10], loss(archs[:10])[:, None], np.zeros(10))
    np.testing.assert_array_equal(optimiser.policies(np.ones((1, 1))), nobody)
    optimiser.tell(archs[10:], loss(archs[10:])[:, None], np.zeros(len(archs) - 10))
    assert not np.array_equal(optimiser.policies(np.ones((1, 1))), nobody)


def test_the_temperature_falls_with_the_root_of_the_rounds(algorithm):
    few, many = (anytime_temperature(SPACE.cardinalities, rounds) for rounds in (100, 400))
    np.testing.assert_allclose(few, 2 * many)
    assert few[0] == pytest.approx(np.sqrt(np.log(4) / 400))
