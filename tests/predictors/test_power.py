from __future__ import annotations

import json

import numpy as np
import pytest

from predictors.power import PowerModel


def times(n: int, seed: int = 0) -> np.ndarray:
    """Milliseconds of three kinds of work."""
    return np.random.default_rng(seed).lognormal(0, 1, (n, 3))


def noisy(X: np.ndarray, watts: list[float], noise: float, seed: int = 1) -> np.ndarray:
    return X @ watts * np.exp(np.random.default_rng(seed).normal(0, noise, len(X)))


def test_finds_the_power_of_every_kind() -> None:
    X, watts = times(200), [1.0, 2.0, 1.5]
    model = PowerModel().fit(X, noisy(X, watts, 0.02))
    np.testing.assert_allclose(model.watts_, watts, rtol=0.03)
    assert model.watts_.min() < model.constant_w_ < model.watts_.max()
    assert model.width_ == pytest.approx(1.645 * 0.02, rel=0.3)


@pytest.mark.parametrize("n", [1, 3, 12, 200])
def test_a_device_of_one_power_gets_one_power(n: int) -> None:
    X = times(n)
    model = PowerModel().fit(X, noisy(X, [2.0, 2.0, 2.0], 0.03))
    np.testing.assert_allclose(model.watts_, 2.0, rtol=0.06)


def test_never_much_worse_than_the_constant_power() -> None:
    """Few measurements, much noise: what the kinds add must not cost more than it gives."""
    other = times(500, seed=9)
    for seed in range(10):
        X = times(15, seed)
        model = PowerModel().fit(X, noisy(X, [1.9, 2.0, 2.1], 0.1, seed))
        truth = other @ [1.9, 2.0, 2.1]
        constant = np.abs(other.sum(axis=1) * model.constant_w_ / truth - 1).mean()
        assert np.abs(model.predict(other) / truth - 1).mean() < constant + 0.02


def test_a_kind_never_seen_takes_the_power_of_all() -> None:
    X = np.column_stack([times(100), np.zeros(100)])
    model = PowerModel().fit(X, noisy(X, [1.0, 2.0, 1.5, 0.0], 0.01))
    assert model.watts_[3] == pytest.approx(model.constant_w_, rel=0.01)


def test_units_do_not_matter() -> None:
    X = times(60)
    y = noisy(X, [1.0, 2.0, 1.5], 0.05)
    np.testing.assert_allclose(PowerModel().fit(X, 1000 * y).watts_, 1000 * PowerModel().fit(X, y).watts_, rtol=1e-6)


def test_json_round_trip() -> None:
    X = times(60)
    model = PowerModel().fit(X, noisy(X, [1.0, 2.0, 1.5], 0.05))
    again = PowerModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert (again.width_, again.constant_w_) == (model.width_, model.constant_w_)
