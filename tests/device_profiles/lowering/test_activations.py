from __future__ import annotations

from typing import Any

import pytest

from device_profiles import lowering
from device_profiles.atlas.sketch import ACTIVATIONS, Sketch


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("channels", [10, 32])
def test_activations_behind_a_convolution(agrees: Any, act: str, channels: int) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.conv_act("input", channels, 3, act)
    agrees(s, s.conv_act(y, channels, 3, act))


@pytest.mark.parametrize("act", ["relu", "sigmoid", "tanh"])
def test_activations_behind_a_gemm(agrees: Any, act: str) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.flatten("flat", "input")
    assert "microsoft.FusedGemm" in agrees(s, s.linear(s.act(s.linear(y, 16), act), 8))


def test_a_gemm_with_an_activation_of_numbers_is_unsure() -> None:
    s = Sketch("s", (3, 8, 8))
    with pytest.raises(lowering.Unsure, match="LeakyRelu"):
        lowering.lower_network(s.build(s.act(s.linear(s.flatten("flat", "input"), 16), "leaky")), 16)


def test_an_activation_that_is_a_result_too(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.convolve("input", 32, 3)
    agrees(s, y, s.act(y, "relu"))
