from __future__ import annotations

import numpy as np
import pytest

from predictors.low_rank import Prior, compressed, relatives, spread_apart


def devices(n: int = 80, d: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Costs that are sums over operators, `(n, d)`, and the counts of operators, `(n, 4)`."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, (n, 4)).astype(float)
    return counts @ rng.lognormal(0, 0.7, (4, d)), counts


def test_devices_of_one_kind_count_as_one() -> None:
    costs, _ = devices()
    twins = np.column_stack([costs, costs[:, 0] * 2.0, costs[:, 0] * 0.5])
    assert relatives(np.log(twins)).tolist()[0] == 3
    assert relatives(np.log(twins)).tolist()[-2:] == [3, 3]
    assert not set(spread_apart(np.log(twins))[0]) & {0, 5, 6}


def test_two_devices_alike_are_still_known_to_each_other() -> None:
    costs, _ = devices(d=1)
    assert [found.tolist() for found in spread_apart(np.log(np.column_stack([costs, costs])))] == [[1], [0]]


def test_a_device_made_of_known_ones_is_within_the_factor() -> None:
    costs, counts = devices()
    prior = Prior.of(costs, counts, 0.1)
    new = (costs / costs.mean(axis=0))[:, :2] @ np.array([0.3, 0.7]) / prior.base
    within = prior.factor @ np.linalg.lstsq(prior.factor, new, rcond=None)[0]
    assert within == pytest.approx(new, rel=1e-3)


def test_features_open_ways_no_known_device_goes() -> None:
    costs, counts = devices(d=1)
    new = counts @ np.array([5.0, 0.1, 1.0, 0.1])
    errors = []
    for features in (None, counts):
        prior = Prior.of(costs, features, 0.3)
        ratio = new / prior.base
        errors.append(np.abs(prior.factor @ np.linalg.lstsq(prior.factor, ratio, rcond=None)[0] / ratio - 1).max())
    assert errors[1] < 0.02 < errors[0]


def test_compression_keeps_the_covariance() -> None:
    rng = np.random.default_rng(0)
    factor = np.hstack([rng.normal(size=(40, 3)), np.zeros((40, 5))]) @ rng.normal(size=(8, 30))
    small = compressed(factor)
    assert small.shape[1] <= 8
    assert small @ small.T == pytest.approx(factor @ factor.T, abs=1e-3 * np.abs(factor @ factor.T).max())
