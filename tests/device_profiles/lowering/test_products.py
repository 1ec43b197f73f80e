from __future__ import annotations

from typing import Any

from device_profiles.atlas.sketch import Sketch


def test_transposes_and_factors_go_into_products(agrees: Any) -> None:
    s = Sketch("s", (2, 6, 8))
    y = s.product(s.scaled("Mul", "input", 0.25), s.transpose("input", 0, 1, 3, 2))
    assert agrees(s, s.softmax(s.scaled("Div", y, 3.0))) == ["Softmax", "microsoft.FusedMatMul"]


def test_a_transpose_that_others_read_stays(agrees: Any) -> None:
    s = Sketch("s", (2, 6, 8))
    t = s.transpose("input", 0, 1, 3, 2)
    agrees(s, s.product("input", t), s.act(t, "elu"))
