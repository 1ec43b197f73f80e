from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from predictors.head import head_terms
from predictors.network import NetworkPredictor
from predictors.speed_ratios import ALONE, COMMON, SpeedRatios


@pytest.fixture
def ratios(predictor: NetworkPredictor) -> SpeedRatios:
    return SpeedRatios(predictor.pricer_, predictor.head_, predictor.pricer_.operators_[:3])


def test_operators_share_what_they_have_in_common(ratios: SpeedRatios, lab: SimpleNamespace) -> None:
    same, other = lab.conv(64, 64, 14), lab.gemm(1, 256, 64)
    rows = ratios.rows([lab.conv(48, 64, 14), same, other])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] >= COMMON**2 - 0.1
    assert rows.shape == (3, ratios.width)


def test_operators_that_were_measured_have_ways_of_their_own(ratios: SpeedRatios, predictor: NetworkPredictor) -> None:
    operators = predictor.pricer_.operators_[:5]
    assert ratios.left_alone(operators).tolist() == [0, 0, 0, ALONE, ALONE]
    assert np.count_nonzero(ratios.rows(operators) == ALONE, axis=1)[:3].min() >= 1


def test_the_row_of_a_network_is_the_mean_of_its_parts_by_time(ratios: SpeedRatios, predictor: NetworkPredictor) -> None:
    counts = [(predictor.pricer_.operators_[0], 2), (predictor.pricer_.operators_[7], 1)]
    total, row = ratios.network(counts)
    head, operators = predictor.head_, [op for op, _ in counts]
    terms = np.array([2, 1]) @ head_terms(operators, ratios.times_ms(operators))
    assert total == pytest.approx(float(head.network_ms(terms)))
    parts = head.scale * np.array([2, 1]) * ratios.times_ms(operators)
    beyond = np.array([head.call_ms, *(terms * head.rates)[1:]])
    expected = parts @ ratios.rows(operators) + beyond @ ratios.head_rows()
    assert row == pytest.approx(expected / total)
    assert row[0] == pytest.approx(COMMON)
