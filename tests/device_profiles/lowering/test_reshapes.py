from __future__ import annotations

from typing import Any

from device_profiles.atlas.sketch import Sketch, integers


def test_changes_of_shape_that_follow_each_other(agrees: Any) -> None:
    s = Sketch("s", (8, 4, 4))
    y = s.reshape(s.reshape(s.act("input", "relu"), 1, 8, 16), 1, 128)
    y = s.op("Unsqueeze", (y,), (1, 1, 128), integers(1))
    assert agrees(s, s.act(y, "tanh")) == ["Relu", "Reshape", "Tanh"]


def test_one_that_is_read_twice(agrees: Any) -> None:
    s = Sketch("s", (8, 4, 4))
    y = s.reshape(s.act("input", "relu"), 1, 8, 16)
    agrees(s, s.act(s.reshape(y, 1, 128), "tanh"), s.act(y, "elu"))
