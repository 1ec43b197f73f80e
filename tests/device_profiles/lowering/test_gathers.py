from __future__ import annotations

from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch, integers
from device_profiles.operators import Tensor


@pytest.mark.parametrize("taken", [(0, 1, 2), (2, 0, 1), (0, 1)])
@pytest.mark.parametrize("rank", [0, 1])
def test_gathers_of_every_slice(agrees: Any, taken: tuple[int, ...], rank: int) -> None:
    s = Sketch("s", (3, 8, 8))
    x = s.act("input", "elu")
    shape = (1, 1, 8, 8) if rank else (1, 8, 8)
    found = []
    for i in taken:
        index = integers(i) if rank else Tensor((), "int64", True, (i,))
        found.append(s.act(s.op("Gather", (x,), shape, index, axis=1), "relu"))
    agrees(s, *(s.act(y, "tanh") for y in found[:2]), *found[2:])
