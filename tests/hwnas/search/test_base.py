"""What optimisers inherit: novelty, feasibility, and the form of what they are told."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.objectives import Constraint
from hwnas.search.base import Problem, failed
from hwnas.search.random_search import RandomSearch

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
PROBLEM = Problem(SPACE, (toy.score(), toy.cost()), (Constraint("latency_ms", "<=", 1.0),))


def test_a_problem_knows_directions():
    assert PROBLEM.directions == ("max", "min")
    assert PROBLEM.signs.tolist() == [-1.0, 1.0]


def test_unseen_rows_are_canonical_feasible_and_new_in_order():
    optimiser = RandomSearch(PROBLEM, np.random.default_rng(0))
    raw = np.array([[0, 1, 3, 3, 3, 3, 3], [0, 1, 0, 0, 0, 0, 0], [5, 3, 3, 3, 3, 3, 3], [0, 0, 0, 0, 0, 0, 1]])
    assert optimiser.unseen(raw).tolist() == [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]]
    assert optimiser.unseen(raw).shape == (0, 7)
    assert optimiser.unseen(raw[:0]).shape == (0, 7)


def test_fresh_rows_run_out_in_a_small_space():
    space = toy.ToySpace(3, 3)
    optimiser = RandomSearch(Problem(space, PROBLEM.objectives), np.random.default_rng(0))
    parts = [optimiser.fresh(10) for _ in range(6)]
    archs = np.concatenate(parts)
    assert len(archs) == len(np.unique(archs, axis=0)) == space.size
    assert len(parts[-1]) == 0


def test_failures_are_told_from_violations():
    values = np.array([[np.nan, 1.0], [np.nan, 1.0], [0.0, 1.0], [0.0, 2.0]])
    assert failed(values, np.array([0.0, 0.5, 0.5, 0.0])).tolist() == [True, False, False, False]
