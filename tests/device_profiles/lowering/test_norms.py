from __future__ import annotations

from typing import Any

from device_profiles.atlas.sketch import Sketch
from device_profiles.operators import Tensor


def tokens() -> Sketch:
    s = Sketch("s", (3, 8, 8))
    s.inputs["input"] = s.values["input"] = Tensor((1, 12, 8))
    return s


def test_a_sum_before_a_norm(agrees: Any) -> None:
    s = tokens()
    y = s.join("Add", s.act("input", "elu"), "input")
    assert "microsoft.SkipLayerNormalization" in agrees(s, s.act(s.layer_norm(y), "relu"))


def test_a_sum_that_others_read(agrees: Any) -> None:
    s = tokens()
    y = s.join("Add", s.act("input", "elu"), "input")
    assert "Add" in agrees(s, s.act(s.layer_norm(y), "relu"), s.act(y, "tanh"))


def test_two_sums_before_a_norm(agrees: Any) -> None:
    s = tokens()
    y = s.join("Add", s.weighted("Add", s.act("input", "elu"), 8), "input")
    agrees(s, s.act(s.layer_norm(y), "relu"))
