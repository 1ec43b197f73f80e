from __future__ import annotations

from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("act", ["", "relu", "relu6", "elu"])
def test_sums_behind_convolutions_in_the_layout_of_images(agrees: Any, bias: bool, act: str) -> None:
    s = Sketch("s", (18, 8, 8))
    y = s.convolve(s.act("input", "elu"), 18, 3, bias=bias)
    agrees(s, s.act(s.act(s.join("Add", y, "input"), act), "elu"))
