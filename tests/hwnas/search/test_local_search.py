"""Local search beyond what the battery asks of every algorithm."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.search import Problem
from hwnas.search.algorithms import make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))


def test_climbs_to_the_top_of_a_smooth_hill():
    space = toy.ToySpace(8, 4)
    optimiser = make("local", Problem(space, (toy.score(),)), 0, {"initial": 4})
    found = []
    for _ in range(40):
        archs = optimiser.ask(optimiser.batch)
        optimiser.tell(archs, -toy.accuracy(archs)[:, None], np.zeros(len(archs)))
        found.append(toy.accuracy(archs).max())
    assert max(found) == toy.accuracy(space.largest())[0]


def test_asks_for_all_neighbours_of_the_best_before_it_goes_on():
    space = toy.ToySpace(3, 4)
    optimiser = make("local", Problem(space, (toy.cost(),)), 0, {"initial": 1})
    first = optimiser.ask(1)
    optimiser.tell(first, toy.latency(first)[:, None], np.zeros(1))
    around = np.concatenate([optimiser.ask(1) for _ in range(5)])
    assert {tuple(row) for row in around.tolist()} == {(0, 1, 0, 0), (0, 2, 0, 0), (0, 3, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0)}
