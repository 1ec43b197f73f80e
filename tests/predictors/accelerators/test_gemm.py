from __future__ import annotations

from types import SimpleNamespace

import pytest

from device_profiles.operators import Operator, Tensor
from predictors.accelerators.gemm import Gemm, as_gemms, moved_elements, vector_steps


def test_a_convolution_is_one_product_per_group(lab: SimpleNamespace) -> None:
    assert as_gemms(lab.conv(16, 32, 8, kernel=3)) == [Gemm(64, 9 * 16, 32)]
    assert as_gemms(lab.conv(16, 16, 8, kernel=3, groups=16)) == [Gemm(64, 9, 1, 16)]


def test_products(lab: SimpleNamespace) -> None:
    assert as_gemms(lab.gemm(4, 100, 10)) == [Gemm(4, 100, 10)]
    attention = Operator("MatMul", (Tensor((2, 8, 49, 32)), Tensor((2, 8, 32, 49))), (Tensor((2, 8, 49, 49)),))
    assert as_gemms(attention) == [Gemm(49, 32, 49, 16, stored=False)]
    shared = Operator("MatMul", (Tensor((2, 49, 32)), Tensor((32, 64), constant=True)), (Tensor((2, 49, 64)),))
    assert as_gemms(shared) == [Gemm(98, 32, 64)]


def test_a_transposed_convolution_spreads_every_position() -> None:
    op = Operator("ConvTranspose", (Tensor((1, 8, 4, 4)), Tensor((8, 6, 2, 2), constant=True)), (Tensor((1, 6, 8, 8)),))
    assert as_gemms(op) == [Gemm(16, 8, 24)]


def test_no_mac_is_lost(lab: SimpleNamespace) -> None:
    for op in lab.some_operators(60):
        assert sum(gemm.macs for gemm in as_gemms(op)) == op.macs


def test_the_rest_is_steps(lab: SimpleNamespace) -> None:
    relu = lab.elementwise("Relu", 1, 4, 5, 5)
    assert as_gemms(relu) == []
    assert vector_steps(relu) == 100
    assert moved_elements(relu) == (100, 0, 100)
    fused = Operator("FusedConv", lab.conv(4, 6, 5).inputs, lab.conv(4, 6, 5).outputs, (("activation", "Relu"),))
    assert vector_steps(fused) == pytest.approx(150)
