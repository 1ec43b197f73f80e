"""The Gaussian process against scikit-learn's, and on what it must not stumble over."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search.surrogate import GaussianProcess


def points(n, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, 3))
    return x, np.sin(x[:, 0]) + 0.3 * x[:, 1]


def test_learns_a_smooth_function_and_which_feature_is_noise():
    x, y = points(80)
    new, truth = points(200, 1)
    mean, deviation = GaussianProcess(3, np.random.default_rng(0)).fit(x, y).predict(new)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.25 * truth.std()
    assert np.mean(np.abs(mean - truth) < 3 * deviation + 0.05) > 0.9


def test_agrees_with_scikit_learn_at_the_same_hyper_parameters():
    gp = pytest.importorskip("sklearn.gaussian_process")
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    x, y = points(30)
    model = GaussianProcess(3, np.random.default_rng(0)).fit(x, y)
    scales = np.exp(-model._hyper[:-1] / 2)
    theirs = gp.GaussianProcessRegressor(
        kernels.RBF(scales), alpha=float(np.exp(model._hyper[-1]) + 1e-9), optimizer=None, normalize_y=True
    ).fit(x, y)
    np.testing.assert_allclose(model.predict(x[:7] + 0.1)[0], theirs.predict(x[:7] + 0.1), rtol=1e-3, atol=1e-3)


def test_less_is_known_far_away():
    x, y = points(40)
    deviation = GaussianProcess(3, np.random.default_rng(0)).fit(x, y).predict(np.array([x[0], [30.0, 30.0, 30.0]]))[1]
    assert deviation[1] > 2 * deviation[0]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_constant_and_repeated_points_are_no_trouble(n):
    mean, deviation = GaussianProcess(2, np.random.default_rng(0)).fit(np.ones((n, 2)), np.full(n, 3.0)).predict(np.zeros((4, 2)))
    np.testing.assert_allclose(mean, 3.0)
    assert np.isfinite(deviation).all()
