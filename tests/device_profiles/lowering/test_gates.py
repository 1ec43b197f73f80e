from __future__ import annotations

import math
from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch


@pytest.mark.parametrize("shape", [(3, 8, 8), (16, 8, 8)])
@pytest.mark.parametrize("act", ["silu", "gelu", "hardswish"])
def test_gates_as_exporters_write_them(agrees: Any, act: str, shape: tuple[int, int, int]) -> None:
    s = Sketch("s", shape)
    kinds = agrees(s, s.act(s.act("input", "elu"), act))
    assert ("Erf" in kinds, "Sigmoid" in kinds) == (False, False)


@pytest.mark.parametrize("divided", [False, True])
def test_half_first(agrees: Any, divided: bool) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.act("input", "elu")
    scaled = s.scaled("Div", x, math.sqrt(2)) if divided else s.scaled("Mul", x, math.sqrt(0.5))
    erf = s.op("Erf", (scaled,), s.shape(x))
    assert ("Gelu" in agrees(s, s.join("Mul", s.scaled("Mul", x, 0.5), s.scaled("Add", erf, 1.0)))) == divided


def test_a_gate_with_a_factor(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.act("input", "elu")
    assert "microsoft.QuickGelu" in agrees(s, s.join("Mul", x, s.act(s.scaled("Mul", x, 1.702), "sigmoid")))


def test_a_gate_for_another_value_is_none(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.act("input", "elu")
    assert "Sigmoid" in agrees(s, s.join("Mul", s.act(x, "tanh"), s.act(x, "sigmoid")))


def test_a_gate_of_a_product(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.join("Mul", s.act("input", "tanh"), s.act("input", "sigmoid"))
    agrees(s, s.act(s.act(x, "gelu"), "relu"))
