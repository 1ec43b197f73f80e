from __future__ import annotations

from typing import Any

from device_profiles.atlas.sketch import Sketch


def test_equal_steps_are_done_once(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.act("input", "elu")
    both = s.join("Mul", s.act(s.scaled("Add", x, 3.0), "tanh"), s.act(s.scaled("Add", x, 3.0), "tanh"))
    assert agrees(s, both) == ["Add", "Elu", "Mul", "Tanh"]


def test_other_numbers_make_other_steps(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.act("input", "elu")
    both = s.join("Mul", s.scaled("Add", x, 3.0), s.scaled("Add", x, 4.0))
    assert agrees(s, both).count("Add") == 2
