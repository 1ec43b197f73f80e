from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from predictors.features import feature_matrix
from predictors.held_out import HeldOut, doubt, folds, log_errors
from predictors.lookup import LookupTable


def held(lab: SimpleNamespace, n: int, trees: bool = True) -> HeldOut:
    operators = lab.some_operators(n)
    return of(feature_matrix(operators), np.array([lab.true_ms(op) for op in operators]), trees)


def of(X: np.ndarray, y: np.ndarray, trees: bool) -> HeldOut:
    return HeldOut.of(X, y, np.zeros(len(y)), LookupTable().fit(X, y), trees)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 10, 23])
def test_folds_divide(n: int) -> None:
    parts = folds(n)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert len(parts) == (5 if n >= 10 else max(n, 1))


def test_nobody_prices_what_it_saw(lab: SimpleNamespace) -> None:
    """Times that nothing explains: whoever had seen them would be right."""
    X = feature_matrix(lab.some_operators(40))
    y = np.exp(np.random.default_rng(0).normal(0, 1, 40))
    found = of(X, y, trees=True)
    for source in ("interpolated", "trees", "base"):
        assert np.abs(log_errors(found.prices[source], y)).mean() > 0.4


def test_chooses_what_was_better(lab: SimpleNamespace) -> None:
    y, nothing = np.ones(20), np.zeros(20)
    families = np.repeat([0, 1], 10)
    first = np.where(families == 0, 1.01, 1.5)
    prices = {"base": y, "interpolated": first, "trees": np.where(families == 0, 1.2, 1.1)}
    choice = HeldOut(y, families, prices, nothing, nothing[:0]).choice(enough=8)
    assert choice == {"": "trees", "conv": "interpolated", "pointwise": "trees"}
    prices_of_policy, _ = HeldOut(y, families, prices, nothing, nothing[:0]).policy(enough=8)
    assert prices_of_policy.tolist() == [1.01] * 10 + [1.1] * 10


def test_widths_hold_ninety_percent_of_the_errors(lab: SimpleNamespace) -> None:
    found = held(lab, 80)
    prices, widths = found.policy(enough=8)
    assert 0.85 <= np.mean(np.abs(np.log(prices / found.times)) <= widths) <= 1.0


def test_one_operator_leaves_nothing_to_judge(lab: SimpleNamespace) -> None:
    found = held(lab, 1, trees=False)
    assert np.isnan(found.policy(8)[0]).all()
    assert found.choice(8) == {"": "interpolated"}
    assert found.widths()["interpolated"] > 1  # a factor of e and more


def test_unseen_families_are_doubted_more(lab: SimpleNamespace) -> None:
    found = held(lab, 60)
    assert found.widths()["unseen"] >= found.widths()["base"] > 0
    assert len(found.unseen) == len(np.unique(found.families))


def test_doubt_grows_away_from_measurements() -> None:
    assert 0 < doubt(1.0) < doubt(0.9) < doubt(0.0) == 1.0
