"""What a search looked at is computed once and not forgotten."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.objectives import Constraint
from hwnas.search.base import Problem
from hwnas.search.looked import Looked
from hwnas.search.product import Product

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
PROBLEM = Problem(SPACE, (toy.score(), toy.cost()), (Constraint.parse("latency_ms <= 0.9"),))


def natural(archs):
    return np.column_stack([toy.accuracy(archs), toy.latency(archs)])


def test_different_architectures_are_computed_once_in_canonical_form():
    asked = []

    def watched(archs):
        asked.extend(archs.tolist())
        return natural(archs)

    looked = Looked(PROBLEM, watched, Product.of(PROBLEM, natural(SPACE.sample(20, np.random.default_rng(0)))))
    archs = np.array([[0, 1, 3, 3, 3, 3, 3], [0, 1, 0, 0, 0, 0, 0], [1, 1, 2, 0, 0, 0, 0]])
    values = looked(archs)
    assert values[0] == values[1]
    assert asked == [[0, 1, 0, 0, 0, 0, 0], [1, 1, 2, 0, 0, 0, 0]]
    np.testing.assert_array_equal(looked(archs), values)
    assert len(asked) == len(looked) == 2


def test_in_order_comes_the_winner_then_front_by_front_what_is_new_and_legal():
    archs = np.unique(SPACE.sample(200, np.random.default_rng(1)), axis=0)
    looked = Looked(PROBLEM, natural, Product.of(PROBLEM, natural(archs)))
    looked(archs)
    known = {archs[0].tobytes()}
    order = looked.in_order(archs[5], known, 30)
    assert order[0].tolist() == archs[5].tolist()
    rest = order[1:]
    assert len(rest) == 30
    assert (toy.latency(rest) <= 0.9).all()
    assert not {row.tobytes() for row in rest} & known
    values = natural(rest) * PROBLEM.signs
    # Nothing that comes later dominates what comes before.
    for i in range(len(rest)):
        assert not ((values[i + 1 :] <= values[i]).all(axis=1) & (values[i + 1 :] < values[i]).any(axis=1)).any()
