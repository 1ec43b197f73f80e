from __future__ import annotations

import numpy as np
import pytest

from predictors.kriging import Kriging


@pytest.fixture
def model() -> Kriging:
    x = np.linspace(0, 6, 40)[:, None]
    return Kriging.fit(x, np.sin(x[:, 0]))


def test_passes_near_its_points_and_between(model: Kriging) -> None:
    x = np.linspace(0.05, 5.9, 77)[:, None]
    np.testing.assert_allclose(model.predict(x), np.sin(x[:, 0]), atol=0.02)


def test_far_away_it_knows_nothing(model: Kriging) -> None:
    far = np.array([[1e3], [-1e4]])
    np.testing.assert_allclose(model.predict(far), 0, atol=1e-9)
    np.testing.assert_allclose(model.support(far), 0, atol=1e-9)
    assert (model.support(model.points) > 0.99).all()


def test_support_falls_with_distance(model: Kriging) -> None:
    support = model.support(6 + np.linspace(0, 20, 30)[:, None])
    assert (np.diff(support) <= 1e-9).all()


def test_noise_is_not_followed() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 60)[:, None]
    model = Kriging.fit(x, 1 + 0.1 * rng.normal(size=60))
    assert np.abs(model.predict(x) - 1).mean() < 0.08


def test_one_point() -> None:
    model = Kriging.fit(np.zeros((1, 2)), np.array([0.5]))
    assert model.predict(np.zeros((1, 2)))[0] == pytest.approx(0.5, rel=0.02)


def test_a_coordinate_that_does_not_matter_does_not_separate() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 6, (120, 6))
    model = Kriging.fit(points, np.sin(points[:, 0]))
    lengths = model.shape.lengths
    assert lengths[0] < 0.2 * lengths[1:].min()
    others = rng.uniform(0, 6, (50, 6))
    np.testing.assert_allclose(model.predict(others), np.sin(others[:, 0]), atol=0.05)


def test_a_coordinate_that_never_changed_separates_like_those_that_matter() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0, 6, 60), np.zeros(60)])
    model = Kriging.fit(points, np.sin(points[:, 0]))
    elsewhere = np.column_stack([points[:, 0], np.full(60, 10 * model.shape.lengths[0])])
    assert (model.support(elsewhere) < 0.01).all()


def test_values_that_are_known_badly_are_followed_less() -> None:
    x = np.linspace(0, 1, 21)[:, None]
    values = np.where(np.arange(21) == 10, 1.5, 1.0)
    halves = np.where(np.arange(21) == 10, 0.5, 0.005)
    blind, knowing = Kriging.fit(x, values), Kriging.fit(x, values, halves)
    middle = np.array([[0.5]])
    assert abs(knowing.predict(middle)[0] - 1) < 0.25 * abs(blind.predict(middle)[0] - 1) + 0.02


def test_the_unit_of_the_values_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 6, (80, 3))
    values = np.sin(points[:, 0]) + 0.05 * rng.normal(size=80)
    one, other = Kriging.fit(points, values), Kriging.fit(points, 1e6 * values)
    np.testing.assert_allclose(other.predict(points), 1e6 * one.predict(points), rtol=1e-3, atol=1e3)


def test_a_given_shape_is_taken_over() -> None:
    points = np.random.default_rng(0).uniform(0, 6, (40, 2))
    model = Kriging.fit(points, np.sin(points[:, 0]))
    assert Kriging.fit(points[:20], np.sin(points[:20, 0]), shape=model.shape).shape is model.shape
