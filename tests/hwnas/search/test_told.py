"""What an optimiser was told."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.search import Problem
from hwnas.search.told import Told

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
PROBLEM = Problem(toy.ToySpace(1, 4), (toy.score(), toy.cost()))


def test_the_front_leaves_out_failures_and_violations():
    told = Told(PROBLEM)
    told.add(np.array([[0, 0], [0, 1]]), np.array([[-0.5, 1.0], [-0.9, 0.1]]), np.array([0.0, 2.0]))
    told.add(np.array([[0, 2], [0, 3]]), np.array([[np.nan, 0.1], [-0.6, 2.0]]), np.array([0.0, 0.0]))
    assert len(told) == 4
    assert told.learned().tolist() == [True, True, False, True]
    assert told.front().tolist() == [0, 3]


def test_where_nothing_is_feasible_the_front_is_of_all_with_values():
    told = Told(PROBLEM)
    told.add(np.array([[0, 0], [0, 1]]), np.array([[-0.5, 1.0], [-0.9, 0.1]]), np.array([1.0, 2.0]))
    assert told.front().tolist() == [1]
    assert Told(PROBLEM).front().tolist() == []
