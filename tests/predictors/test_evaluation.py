from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from device_profiles.profile import DeviceProfile
from predictors.evaluation import METRICS, error_table, format_table, metrics
from predictors.network import NetworkPredictor


def test_metrics_by_hand() -> None:
    found = metrics([1.05, 1.8, 3.0, 4.4], [1.0, 2.0, 3.0, 4.0], low=[1.0, 1.7, 3.1, 4.0], high=[1.1, 1.9, 3.2, 5.0])
    assert found["within_5"] == 0.5
    assert found["within_10"] == 1.0
    assert found["mape"] == pytest.approx((0.05 + 0.1 + 0 + 0.1) / 4)
    assert found["p95"] == pytest.approx(0.1)
    assert found["spearman"] == found["kendall"] == pytest.approx(1.0)
    assert found["coverage"] == 0.5


def test_rank_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 9, 50), rng.integers(1, 9, 50)
    found = metrics(a, b)
    assert found["spearman"] == pytest.approx(spearmanr(a, b).statistic)
    assert found["kendall"] == pytest.approx(kendalltau(a, b).statistic)


def test_too_little_data_is_none_never_nan() -> None:
    assert metrics([], []) == dict.fromkeys(METRICS)
    one = metrics([1.0], [1.0])
    assert (one["within_5"], one["spearman"], one["kendall"], one["coverage"]) == (1.0, None, None, None)
    assert metrics([2.0, 2.0], [1.0, 3.0])["spearman"] is None


@pytest.fixture(scope="module")
def rows(profile: DeviceProfile, predictor: NetworkPredictor) -> list[dict[str, Any]]:
    return error_table(profile, predictor)


def row(rows: list[dict[str, Any]], what: str, method: str) -> dict[str, Any]:
    return next(r for r in rows if (r["what"], r["method"]) == (what, method))


def test_all_methods_stand_beside_the_ceiling(rows: list[dict[str, Any]]) -> None:
    assert [r["method"] for r in rows if r["what"] == "operators"] == ["base", "lookup", "trees over base", "combined", "repeat ceiling"]
    assert [r["method"] for r in rows if r["what"] == "networks"] == [
        "base only, no head", "base only, head", "trees over base, no head", "trees over base, head", "unseen operators, combined, no head",
        "unseen operators, combined, head", "measured operators, no head", "measured operators, head", "repeat ceiling",
    ]  # fmt: skip
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_the_head_helps_and_the_ceiling_is_high(rows: list[dict[str, Any]]) -> None:
    with_head, without = (row(rows, "networks", f"measured operators, {head}") for head in ("head", "no head"))
    assert with_head["mape"] < without["mape"]
    assert row(rows, "networks", "repeat ceiling")["mape"] < 0.03
    assert row(rows, "operators", "repeat ceiling")["within_5"] > 0.9
    assert row(rows, "operators", "combined")["n"] == 60
    assert 0.75 <= row(rows, "operators", "combined")["coverage"] <= 1


def test_measured_operators_that_are_left_out_are_not_known(rows: list[dict[str, Any]]) -> None:
    """A held-out operator must not be found in the table: then its error would be 0."""
    assert row(rows, "operators", "lookup")["mape"] > 0.005


def test_without_a_predictor_it_fits_one(profile: DeviceProfile, rows: list[dict[str, Any]]) -> None:
    assert error_table(profile) == rows


@pytest.mark.parametrize(("operators", "networks"), [(1, 0), (3, 0), (3, 2), (12, 1)])
def test_few_measurements_give_a_table_all_the_same(device: Any, lab: SimpleNamespace, operators: int, networks: int) -> None:
    measured = lab.some_operators(operators)
    rows = error_table(device.profile(measured, lab.some_networks(measured, networks)))
    json.dumps(rows, allow_nan=False)
    assert format_table(rows)


def test_text_for_a_terminal(rows: list[dict[str, Any]]) -> None:
    lines = format_table(rows).splitlines()
    assert lines[0].split() == [
        "operators",
        "n",
        "within",
        "5",
        "%",
        "within",
        "10",
        "%",
        "MAPE",
        "p95",
        "Spearman",
        "Kendall",
        "90",
        "%",
        "covers",
    ]
    assert len(lines) == len(rows) + 2
    assert max(map(len, lines)) <= 120
    assert any(line.startswith("  repeat ceiling") and line.endswith("-") for line in lines)
    assert format_table([]) == ""
