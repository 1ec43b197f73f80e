from __future__ import annotations

from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch, integers


@pytest.mark.parametrize(("kind", "number"), [("Add", 0.0), ("Sub", 0.0), ("Mul", 1.0), ("Div", 1.0)])
def test_arithmetic_that_does_nothing(agrees: Any, kind: str, number: float) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.scaled(kind, s.act("input", "elu"), number)
    assert agrees(s, s.act(y, "relu")) == ["Elu", "Relu"]


@pytest.mark.parametrize("kind", ["Identity", "Dropout"])
def test_what_hands_on(agrees: Any, kind: str) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.op(kind, (s.act("input", "elu"),), (1, 3, 8, 8))
    assert agrees(s, s.act(y, "relu")) == ["Elu", "Relu"]


def test_an_identity_that_makes_a_result(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    assert agrees(s, s.op("Identity", (s.act("input", "elu"),), (1, 3, 8, 8))) == ["Elu"]


@pytest.mark.parametrize("end", [8, 2**63 - 1])
def test_a_slice_of_everything(agrees: Any, end: int) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.op("Slice", (s.act("input", "elu"),), (1, 3, 8, 8), integers(0), integers(end), integers(2))
    assert ("Slice" in agrees(s, s.act(y, "relu"))) == (end == 8)
