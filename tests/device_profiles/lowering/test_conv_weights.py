from __future__ import annotations

from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("after", ["norm", "scale", "offset", "all"])
def test_what_is_linear_per_channel_goes_into_the_weights(agrees: Any, after: str, bias: bool) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.convolve("input", 10, 3, bias=bias)
    y = s.norm(y) if after in ("norm", "all") else y
    y = s.weighted("Mul", y, 10, 1, 1) if after in ("scale", "all") else y
    y = s.weighted("Add", y, 10, 1, 1) if after in ("offset", "all") else y
    assert "BatchNormalization" not in agrees(s, s.act(y, "relu"))


@pytest.mark.parametrize("after", ["norm", "scale", "offset"])
def test_what_makes_a_result(agrees: Any, after: str) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.convolve("input", 10, 3)
    agrees(s, s.norm(y) if after == "norm" else s.weighted("Mul" if after == "scale" else "Add", y, 10, 1, 1))


def test_one_number_per_row_is_no_weight(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    assert "Mul" in agrees(s, s.act(s.weighted("Mul", s.convolve("input", 10, 3), 8, 1), "relu"))


def test_a_convolution_that_is_read_twice_keeps_its_weights(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.convolve("input", 10, 3)
    assert agrees(s, s.act(s.join("Mul", s.act(s.norm(y), "elu"), s.act(y, "elu")), "elu")).count("nchwc.Conv") == 2
