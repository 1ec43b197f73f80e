from __future__ import annotations

from typing import Any

from device_profiles.atlas.sketch import Sketch


def test_transposes_that_cancel_around_steps(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.act(s.transpose("input", 0, 2, 3, 1), "relu")
    y = s.weighted("Mul", y, 3)
    assert "Transpose" not in agrees(s, s.act(s.transpose(y, 0, 3, 1, 2), "tanh"))


def test_transposes_that_are_merged(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    y = s.transpose(s.transpose("input", 0, 2, 3, 1), 0, 2, 1, 3)
    assert agrees(s, s.act(y, "relu")).count("Transpose") == 1


def test_shuffled_channels(agrees: Any) -> None:
    s = Sketch("s", (8, 4, 4))
    y = s.transpose(s.reshape(s.act("input", "relu"), 1, 2, 4, 4, 4), 0, 2, 1, 3, 4)
    agrees(s, s.act(s.reshape(y, 1, 8, 4, 4), "relu"))


def test_a_transpose_through_a_split_and_a_concat(agrees: Any) -> None:
    s = Sketch("s", (8, 4, 4))
    a, b = s.split(s.transpose("input", 0, 2, 3, 1), [4, 4], axis=3)
    y = s.concat([s.act(a, "relu"), s.act(b, "tanh")], axis=3)
    agrees(s, s.act(s.transpose(y, 0, 3, 1, 2), "relu"))
