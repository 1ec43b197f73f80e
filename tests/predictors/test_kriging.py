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
