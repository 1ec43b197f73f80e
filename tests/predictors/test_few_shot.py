from __future__ import annotations

import numpy as np
import pytest

from predictors.few_shot import NOISES, Posterior


def world(seed: int, k: int, noise: float, n: int = 200, q: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, q)) / np.sqrt(q) * 0.3
    truth = factor @ rng.normal(size=q)
    return factor, truth, truth + noise * rng.normal(size=n)


def test_the_truth_is_found_from_few_measurements() -> None:
    factor, truth, seen = world(0, 12, 0.01)
    found = Posterior.of(factor[:12], seen[:12])
    assert np.abs(found.ratios(factor) - truth)[12:].mean() < 0.03
    assert found.deviations(factor)[:12].mean() < found.deviations(factor)[12:].mean()


def test_noise_is_told_from_differences() -> None:
    quiet, loud = (Posterior.of(f[:30], seen[:30]).noise for f, _, seen in (world(1, 30, 0.01), world(1, 30, 0.12)))
    assert quiet < 0.03
    assert loud > 0.06
    assert quiet >= NOISES[0]


def test_one_wild_measurement_does_little() -> None:
    factor, truth, seen = world(2, 20, 0.01)
    seen[3] += 2.0
    found = Posterior.of(factor[:20], seen[:20])
    assert np.abs(found.ratios(factor) - truth).mean() < 0.05


def test_intervals_hold_nine_of_ten_measurements() -> None:
    held = []
    for seed in range(40):
        factor, _, seen = world(seed, 15, 0.05)
        found = Posterior.of(factor[:15], seen[:15])
        held.append(np.abs(found.ratios(factor) - seen)[15:] <= found.half_widths(factor)[15:])
    assert 0.85 < np.mean(held) < 0.995


def test_a_measurement_known_to_be_poor_counts_less() -> None:
    rows = np.ones((2, 1))
    found = Posterior.of(rows, np.array([0.0, 0.4]), np.array([0.01, 0.3]))
    assert found.ratios(rows)[0] < 0.1


def test_a_single_measurement_is_enough_to_say_something() -> None:
    found = Posterior.of(np.array([[1.0, 0.0]]), np.array([0.2]))
    assert 0 < found.ratios(np.array([[1.0, 0.0]]))[0] <= 0.2
    assert found.half_widths(np.array([[0.0, 1.0]]))[0] > found.half_widths(np.array([[1.0, 0.0]]))[0]
    assert found.covariance == pytest.approx(found.covariance.T)
