from __future__ import annotations

import math

import numpy as np
import pytest

from predictors.conformal import ENOUGH, half_width


def test_order_statistic_when_there_is_enough() -> None:
    assert half_width(np.arange(1, 100), prior=0.0) == 90  # ceil(0.9 * 100)
    assert half_width(np.arange(1, ENOUGH + 1), prior=0.0) == ENOUGH
    assert half_width(-np.arange(1, 100), prior=0.0) == 90


def test_nothing_known_is_the_prior_and_wide() -> None:
    assert half_width([], prior=0.1) == pytest.approx(0.1 * 2.92, rel=0.01)  # Student t, 2 degrees of freedom


def test_few_errors_narrow_it_slowly() -> None:
    widths = [half_width([0.01] * n, prior=0.1) for n in range(ENOUGH)]
    assert widths == sorted(widths, reverse=True)
    assert widths[3] > 3 * 0.01


@pytest.mark.parametrize("n", [3, 8, 12, 20, 50])
def test_covers_ninety_percent(n: int) -> None:
    """Of normal errors whose size the prior guesses right; conformal intervals are exact, so 0.9 to 0.9 + 1 / (n + 1)."""
    rng = np.random.default_rng(n)
    inside = [abs(rng.normal(0, 0.1)) <= half_width(rng.normal(0, 0.1, n), prior=0.1) for _ in range(4000)]
    assert 0.9 - 3 * math.sqrt(0.09 / 4000) <= np.mean(inside) <= 0.9 + 1 / (n + 1) + 0.03
