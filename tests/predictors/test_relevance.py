from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import check_grad

from predictors.relevance import Shape, _unlikely, learn


def test_the_gradient_is_that_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    points, variances = rng.normal(size=(25, 4)), rng.uniform(0, 0.01, 25)
    values = np.sin(points[:, 0]) + 0.1 * rng.normal(size=25)
    for _ in range(3):
        logs = np.array([*rng.normal(0.5, 0.5, 4), rng.normal(0, 0.5), rng.normal(-4, 0.5)])
        size = np.abs(_unlikely(logs, points, values, variances, 0.7)[1]).max()
        value, slope = (lambda v, part=part: _unlikely(v, points, values, variances, 0.7)[part] for part in (0, 1))
        wrong = check_grad(value, slope, logs)
        assert wrong < 1e-4 * size


def test_noise_and_signal_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 8, (200, 2))
    values = np.sin(points[:, 0]) + 0.2 * rng.normal(size=200)
    found = learn(points, values, np.zeros(200))
    assert found.noise == pytest.approx(0.04, rel=0.4)
    known = learn(points, values, np.full(200, 0.04))
    assert known.noise < 0.02  # what was known beforehand is not found again


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_entries_say_nothing_about_coordinates(count: int) -> None:
    found = learn(np.random.default_rng(0).normal(size=(count, 3)), np.ones(count), np.zeros(count))
    assert len(set(found.lengths.tolist())) == 1


@pytest.mark.parametrize("values", [np.zeros(30), np.full(30, 7.0), np.r_[np.zeros(29), 1e9]])
def test_values_without_shape(values: np.ndarray) -> None:
    found = learn(np.random.default_rng(0).normal(size=(30, 2)), values, np.zeros(30))
    assert np.isfinite([*found.lengths, found.signal, found.noise]).all()
    assert found.signal > 0
    assert found.noise > 0


def test_points_that_are_one() -> None:
    assert np.isfinite(learn(np.zeros((8, 2)), np.arange(8.0), np.zeros(8)).lengths).all()


def test_json_round_trip_and_numbers_that_are_no_shape() -> None:
    shape = Shape(np.array([0.5, 2.0]), 1.5, 0.01)
    again = Shape.from_json(json.loads(json.dumps(shape.to_json())))
    assert again.to_json() == shape.to_json()
    with pytest.raises(ValueError, match="positive"):
        Shape.from_json({**shape.to_json(), "noise": 0.0})
