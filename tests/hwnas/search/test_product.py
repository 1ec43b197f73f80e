"""The product of objectives that FLASH minimises."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.objectives import Constraint
from hwnas.search.base import Problem
from hwnas.search.product import Product

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
PROBLEM = Problem(toy.ToySpace(), (toy.score(), toy.cost(), toy.cost(name="energy_mj", unit="mJ")), (Constraint.parse("latency_ms <= 4"),))
SEEN = np.array([[0.5, 1.0, 10.0], [0.9, 3.0, 20.0], [0.7, 2.0, 40.0]])


def test_with_exponents_of_one_it_is_the_logarithm_of_costs_over_accuracy():
    product = Product.of(PROBLEM, SEEN)
    np.testing.assert_allclose(product(SEEN), np.log(SEEN[:, 1] * SEEN[:, 2] / SEEN[:, 0]))


def test_what_breaks_a_constraint_is_worse_than_all_that_does_not_and_more_is_worse():
    product = Product.of(PROBLEM, SEEN)
    values = product(np.array([[1e-9, 4.0, 1e9], [1.0, 4.1, 1.0], [1.0, 5.0, 1.0], [np.nan, 1.0, 1.0], [0.9, 1.0, np.inf]]))
    assert (np.diff(values[:4]) > 0).all()
    assert values[4] == values[3]
    assert np.isfinite(values).all()
    np.testing.assert_allclose(product.violation(np.array([[1.0, 4.0, 1.0], [1.0, 5.0, 1.0]])), [0.0, 0.25])


def test_an_objective_that_is_not_above_zero_enters_as_its_place():
    seen = SEEN - np.array([0.6, 0.0, 0.0])
    product = Product.of(PROBLEM, seen)
    np.testing.assert_allclose(product(seen), np.log(seen[:, 1] * seen[:, 2]) - (seen[:, 0] + 0.1) / 0.4)


def test_weights_count_what_varies_alike():
    product = Product.of(PROBLEM, SEEN).weighted(SEEN, np.array([0.0, 1.0, 0.0]))
    values = product(SEEN)
    assert values.std() == pytest.approx(1.0)
    assert np.argsort(values).tolist() == [0, 2, 1]


def test_a_constant_objective_and_nothing_known_are_no_obstacle():
    constant = np.tile(SEEN[:1], (3, 1))
    assert np.isfinite(Product.of(PROBLEM, constant).weighted(constant, np.ones(3))(SEEN)).all()
    unknown = np.full((2, 3), np.nan)
    assert np.isfinite(Product.of(PROBLEM, unknown).weighted(unknown, np.ones(3))(SEEN)).all()
