"""Progressive search beyond what the battery asks of every algorithm."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.search import Problem
from hwnas.search.algorithms import make
from hwnas.search.progressive import in_layers, levels
from hwnas.search.tables import Cell, TableSpace
from hwnas.search.tables.table import Table
from hwnas.spaces.base import Choice

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def cells():
    operations = ("conv", "none", "skip_connect")
    archs = np.indices((3,) * 6).reshape(6, -1).T
    choices = tuple(Choice(f"edge{i}", operations) for i in range(6))
    score = 1 - 0.5 * np.exp(-(archs == 0).sum(axis=1) / 3)
    return TableSpace(Table("cells", choices, archs, {"accuracy": {"": score}}, cell=Cell(EDGES, operations)))


def test_levels_of_a_cell_are_its_nodes():
    found, base = levels(cells())
    assert found == [(3,), (0, 4), (1, 2, 5)]
    assert base.tolist() == [[1] * 6]


def test_levels_of_other_spaces_are_their_parts():
    found, base = levels(toy.ToySpace(3, 4))
    assert found == [(0, 1), (2,), (3,)]
    assert base.tolist() == [[0, 0, 0, 0]]


def test_goes_from_simple_to_complex_and_finds_the_best():
    space = cells()
    optimiser = make("progressive", Problem(space, (space.objective("accuracy"),)), 0, {"beam": 5})
    complexity, best = [], 0.0
    for _ in range(15):
        archs = optimiser.ask(optimiser.batch)
        scores = space.objective("accuracy").evaluate(archs).values
        optimiser.tell(archs, -scores[:, None], np.zeros(len(archs)))
        complexity.append(int((archs != 1).sum(axis=1).max()))
        best = max(best, float(scores.max()))
    assert complexity[0] == 1
    assert complexity[1] <= 3 < complexity[2]
    assert best == space.table.column("accuracy").max()


def test_networks_that_are_alike_are_not_evaluated_side_by_side():
    space = cells()
    optimiser = make("progressive", Problem(space, (space.objective("accuracy"),)), 0, {"beam": 8})
    for _ in range(3):
        archs = optimiser.ask(8)
        assert len(np.unique(space.features(archs), axis=0)) == len(archs)
        optimiser.tell(archs, -space.objective("accuracy").evaluate(archs).values[:, None], np.zeros(len(archs)))


def test_layers_come_front_by_front():
    values = np.array([[2.0, 2.0], [1.0, 3.0], [3.0, 1.0], [2.5, 2.5], [np.nan, 0.0]])
    assert in_layers(values, 10).tolist() == [0, 1, 2, 3]
    assert in_layers(values, 2).tolist() == [0, 1]
