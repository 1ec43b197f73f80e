from __future__ import annotations

from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch


@pytest.mark.parametrize("channels", [6, 8, 12, 16, 20, 24, 32, 33, 40, 48])
def test_channels_of_convolutions(agrees: Any, channels: int) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.conv_act("input", channels, 3, "relu")
    y = s.conv_act(y, 16, 3, "relu")
    agrees(s, s.conv_act(y, channels, 3, "relu"))


@pytest.mark.parametrize(
    ("channels", "groups"), [(16, 16), (12, 12), (20, 20), (10, 10), (32, 2), (64, 2), (64, 4), (48, 4), (64, 8), (96, 32)]
)
def test_groups(agrees: Any, channels: int, groups: int) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.conv_act("input", channels, 3, "relu")
    agrees(s, s.conv_act(s.conv_act(y, channels, 3, "relu", groups=groups), 16, 1, "relu"))


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("channels", [10, 12, 16, 24])
def test_pools(agrees: Any, kind: str, channels: int) -> None:
    s = Sketch("s", (3, 16, 16))
    y = s.pool(s.conv_act("input", channels, 3, "relu"), kind, 3, 2)
    agrees(s, s.mean(s.convolve(y, 16)))


@pytest.mark.parametrize("channels", [10, 12, 16, 24])
def test_sums_run_inside_one_convolution(agrees: Any, channels: int) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "relu")
    y = s.act(s.join("Add", s.convolve(x, channels, 3, bias=False), x), "relu")
    z = s.act(s.join("Add", s.convolve(y, channels, 3), s.convolve(y, channels)), "relu")
    agrees(s, s.join("Add", z, s.act(y, "sigmoid")))


@pytest.mark.parametrize("channels", [8, 12, 16, 24, 32])
def test_values_side_by_side(agrees: Any, channels: int) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "relu")
    y = s.concat([x, s.conv_act(x, channels, 3, "relu")])
    agrees(s, s.conv_act(s.norm(y), 16, 1, "relu"))


@pytest.mark.parametrize("channels", [8, 12, 16, 24])
@pytest.mark.parametrize("gate", ["sigmoid", "hardsigmoid"])
def test_squeeze_excite(agrees: Any, channels: int, gate: str) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "silu")
    agrees(s, s.convolve(s.squeeze_excite(x, 8, "relu", gate), 16))


@pytest.mark.parametrize("channels", [12, 16])
@pytest.mark.parametrize("act", ["relu", "silu", "hardswish", "gelu", "leaky", "elu", "relu6", "tanh"])
def test_activations_away_from_convolutions(agrees: Any, channels: int, act: str) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "relu")
    y = s.act(s.join("Add", s.conv_act(x, channels, 3, "relu"), x), act)
    agrees(s, s.convolve(y, 16))


@pytest.mark.parametrize("channels", [12, 16])
def test_scales_offsets_and_norms_between(agrees: Any, channels: int) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "relu")
    y = s.weighted("Mul", x, channels, 1, 1)
    y = s.join("Add", s.norm(y), x)
    agrees(s, s.convolve(s.act(s.weighted("Add", y, channels, 1, 1), "relu"), 16))


@pytest.mark.parametrize("channels", [12, 16])
def test_resizing(agrees: Any, channels: int) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "relu")
    agrees(s, s.conv_act(s.upsample(x, 2), 16, 3, "relu"))


@pytest.mark.parametrize("channels", [12, 16])
def test_channels_last(agrees: Any, channels: int) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", channels, 3, "relu")
    y = s.transpose(s.layer_norm(s.transpose(x, 0, 2, 3, 1)), 0, 3, 1, 2)
    agrees(s, s.conv_act(y, 16, 3, "relu"))


def test_results_in_both_layouts(agrees: Any) -> None:
    s = Sketch("s", (3, 16, 16))
    x = s.conv_act("input", 16, 3, "relu")
    y = s.convolve(x, 20, 3)
    agrees(s, x, s.act(y, "relu"), y)
