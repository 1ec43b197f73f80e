from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.operators import Operator
from device_profiles.quantity import Quantity
from predictors import pricing
from predictors.pricing import SOURCES, OperatorPricer


def quantity(ms: float, width: float = 0.01) -> Quantity:
    return Quantity(ms, ms * (1 - width), ms * (1 + width), "measured")


def fitted(lab: SimpleNamespace, n: int, failed: tuple[Operator, ...] = ()) -> OperatorPricer:
    operators = lab.some_operators(n)
    return OperatorPricer().fit(operators, [quantity(lab.true_ms(op)) for op in operators], [op.key for op in failed])


@pytest.fixture(scope="module")
def pricer(lab: SimpleNamespace) -> OperatorPricer:
    return fitted(lab, 80)


def test_measured_operators_keep_their_measurement(lab: SimpleNamespace, pricer: OperatorPricer) -> None:
    for price in pricer.price(lab.some_operators(80)):
        assert price.source == "measured"
        assert price.latency_ms == quantity(lab.true_ms(price.operator))
        assert price.flags == ()


def test_others_are_priced_by_the_chosen_model(lab: SimpleNamespace, pricer: OperatorPricer) -> None:
    unseen = [op for op in lab.some_operators(200, seed=7) if op.key not in pricer.measured_]
    prices = pricer.price(unseen)
    assert {price.source for price in prices} <= {"interpolated", "trees", "base"}
    errors = np.abs([price.value / lab.true_ms(price.operator) - 1 for price in prices])
    assert errors.mean() < 0.1
    held = np.mean([price.low <= lab.true_ms(price.operator) <= price.high for price in prices])
    assert held >= 0.85
    assert all(0 < price.low < price.value < price.high and price.latency_ms.origin == "predicted" for price in prices)


def test_what_was_never_seen_is_flagged_and_wide(lab: SimpleNamespace, pricer: OperatorPricer) -> None:
    known, kind, group, unheard = pricer.price(
        [
            lab.conv(40, 24, 14),
            lab.elementwise("Tanh", 1, 64, 14, 14),
            lab.elementwise("Softmax", 1, 64, 14, 14),
            lab.elementwise("Odd", 1, 9),
        ]
    )
    assert known.flags == ()
    assert kind.flags == ("no Tanh was measured",)
    assert (group.source, group.flags) == ("base", ("no kernel of family softmax was measured",))
    assert unheard.flags == ("no kernel of family other was measured",)
    assert all(price.value > 0 for price in (kind, group, unheard))
    assert min(kind.half_width, group.half_width, unheard.half_width) > known.half_width


def test_an_operator_that_failed_is_flagged(lab: SimpleNamespace) -> None:
    broken = lab.conv(17, 19, 8)
    price = fitted(lab, 40, failed=(broken,)).price([broken])[0]
    assert price.source == "base"
    assert price.flags == ("could not be measured",)
    assert price.half_width > fitted(lab, 40).price([broken])[0].half_width


def test_far_from_everything_is_flagged(lab: SimpleNamespace) -> None:
    operators = [lab.conv(c, 16, 7) for c in range(16, 160, 8)]
    pricer = OperatorPricer().fit(operators, [quantity(lab.true_ms(op)) for op in operators])
    far = pricer.price([lab.conv(4000, 9000, 900)])[0]
    assert far.flags == ("far from everything measured",)
    assert far.half_width > pricer.price([lab.conv(20, 16, 7)])[0].half_width


def test_the_other_attributes_count_too(lab: SimpleNamespace, pricer: OperatorPricer) -> None:
    """Equal shapes with another attribute are another kernel: its features are the measured ones, its key is not."""
    op = pricer.operators_[0]
    price = pricer.price([replace(op, attributes=(*op.attributes, ("zz", 1)))])[0]
    assert price.source != "measured"
    assert price.value == pytest.approx(lab.true_ms(op), rel=0.1)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_measurements_give_wide_intervals(lab: SimpleNamespace, n: int) -> None:
    pricer = fitted(lab, n)
    prices = pricer.price([op for op in lab.some_operators(60, seed=3) if op.key not in pricer.measured_])
    assert all(np.isfinite(price.value) and price.value > 0 for price in prices)
    assert min(price.half_width for price in prices) > 0.2
    assert np.mean([price.low <= lab.true_ms(price.operator) <= price.high for price in prices]) >= 0.8


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(InputError, match="at least one measured operator"):
        OperatorPricer().fit([], [])


def test_one_operator_twice_is_refused(lab: SimpleNamespace) -> None:
    op = lab.conv(16, 16, 8)
    with pytest.raises(InputError, match="twice"):
        OperatorPricer().fit([op, op], [quantity(1.0), quantity(2.0)])


def test_order_batch_and_memory_do_not_change_prices(lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    operators = lab.some_operators(50, seed=5)
    together = fitted(lab, 40).price(operators)
    monkeypatch.setattr(pricing, "_CACHE", 7)
    forgetful = fitted(lab, 40)
    single = [forgetful.price([op])[0] for op in reversed(operators)][::-1]
    assert [p.value for p in together] == [p.value for p in single]
    assert [p.source for p in together] == [p.source for p in single]
    assert forgetful.price([*operators, *operators]) == [*single, *single]
    assert forgetful.price([]) == []


def test_sources_are_those_of_the_contract() -> None:
    assert SOURCES == ("measured", "transferred", "interpolated", "trees", "base")
