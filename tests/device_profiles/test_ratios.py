from __future__ import annotations

import pytest

from device_profiles.operators import Operator, Tensor
from device_profiles.quantity import Quantity
from device_profiles.ratios import half_width, kind_ratios, overall, without


def ms(value: float, half: float = 0.01) -> Quantity:
    return Quantity(value, value * (1 - half), value * (1 + half), "measured")


def op(kind: str, size: int) -> Operator:
    return Operator(kind, (Tensor((1, size)),), (Tensor((1, size)),))


def test_kinds_are_weighted_by_the_time_they_carry() -> None:
    a, b, c = op("Conv", 8), op("Conv", 16), op("Relu", 8)
    shares = {a.key: 0.6, b.key: 0.2, c.key: 0.1, op("Conv", 99).key: 0.1}
    kinds = kind_ratios([(a, ms(1.1), ms(1.0)), (b, ms(2.2), ms(2.0)), (c, ms(2.0), ms(1.0))], shares, None)
    conv, relu = kinds
    assert (conv.kind, conv.operators, conv.share) == ("Conv", 2, pytest.approx(0.9))  # all of its kind, timed again or not
    assert conv.ratio.value == pytest.approx(1.1)
    assert relu.ratio.value == pytest.approx(2.0)
    assert relu.left == relu.ratio
    assert overall(kinds).value == pytest.approx(1.1**0.9 * 2.0**0.1)


def test_operators_that_disagree_widen_the_interval_of_their_kind() -> None:
    first, second = op("Conv", 8), op("Conv", 16)
    shares = {first.key: 0.5, second.key: 0.5}
    (alike,) = kind_ratios([(first, ms(1.2), ms(1.0)), (second, ms(1.2), ms(1.0))], shares, None)
    (apart,) = kind_ratios([(first, ms(1.0), ms(1.0)), (second, ms(1.44), ms(1.0))], shares, None)
    assert alike.ratio.value == pytest.approx(apart.ratio.value)
    assert half_width(alike.ratio) < 0.015
    assert half_width(apart.ratio) > 0.15


def test_what_the_canaries_explain_is_taken_out_and_adds_its_doubt() -> None:
    left = without(ms(1.32, 0.03), ms(1.1, 0.04))
    assert left.value == pytest.approx(1.2)
    assert half_width(left) == pytest.approx(0.05, rel=0.01)
