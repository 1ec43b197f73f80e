from __future__ import annotations

from typing import Any

import pytest

from device_profiles.atlas.sketch import Sketch
from device_profiles.operators import Tensor


@pytest.mark.parametrize("shape", [(1, 12, 8), (1, 3, 4, 8)])
def test_a_bias_makes_a_gemm(agrees: Any, shape: tuple[int, ...]) -> None:
    s = Sketch("s", (3, 8, 8))
    s.inputs["input"] = s.values["input"] = Tensor(shape)
    kinds = agrees(s, s.act(s.linear(s.act(s.linear("input", 16), "gelu"), 4), "elu"))
    assert "MatMul" not in kinds


def test_without_a_bias_it_stays_a_product(agrees: Any) -> None:
    s = Sketch("s", (3, 8, 8))
    s.inputs["input"] = s.values["input"] = Tensor((1, 12, 8))
    assert agrees(s, s.linear("input", 16, bias=False)) == ["MatMul"]
