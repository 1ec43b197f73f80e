from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from device_profiles.operators import Operator, Tensor
from predictors.accelerators.crossbar import CrossbarTiles
from predictors.accelerators.gemm import Gemm

CHIP = CrossbarTiles()


def convolution(channels_in: int, channels_out: int, size: int, kernel: int = 3) -> Operator:
    weight = Tensor((channels_out, channels_in, kernel, kernel), constant=True)
    return Operator("Conv", (Tensor((1, channels_in, size, size)), weight), (Tensor((1, channels_out, size, size)),))


def test_the_published_tile() -> None:
    """ISAAC's table I: 0.0131 mm2 and 24.08 mW per element, 0.372 mm2 per tile."""
    assert CHIP.tile_mm2 == pytest.approx(0.372, abs=5e-4)
    assert CHIP._draw_mw(8) == pytest.approx(24.08, abs=0.005)


def test_mapping_by_hand() -> None:
    # 3 x 3 x 64 = 576 rows are 5 crossbars of 128; 128 channels of 8 bits at 2 per cell are 512 columns, 4 crossbars.
    assert CHIP.crossbars(Gemm(64, 576, 128)) == 5 * 4
    # Depthwise 3 x 3: blocks of 9 rows and 4 columns, min(128 // 9, 128 // 4) = 14 of them along a diagonal; 32 groups take 3 crossbars.
    assert CHIP.crossbars(Gemm(64, 9, 1, 32)) == 3
    # Groups that are larger than a crossbar take crossbars of their own: 2 by 2 each.
    assert CHIP.crossbars(Gemm(64, 200, 40, 3)) == 3 * 2 * 2


def test_one_operator_by_hand() -> None:
    cost = CHIP.operator(convolution(64, 128, 8))
    details = cost.details
    # 20 crossbars are 3 elements of 8 and 1 tile of 96. 64 positions of 8 bits are 512 reads of 100 ns.
    assert [details[name] for name in ("crossbars", "elements", "tiles", "reads")] == [20, 3, 1, 512]
    # 4,096 inputs of 8 bits are 1,024 flits, one hop of 4 cycles at 1 GHz.
    assert cost.latency_ms == pytest.approx((51_200 + 4 + 1024) * 1e-6)
    assert cost.area_mm2 == pytest.approx(CHIP.tile_mm2)
    # 20 crossbars of 2.82625 mW and 3 register files of 1.47 mW for 51.2 us; 12,288 bytes of 2.5 pJ; 32,768 bits of 5.25 / 32 pJ.
    reading = (20 * 2.82625 + 3 * 1.47) * 51_200
    assert cost.energy_mj == pytest.approx((reading + 12_288 * 2.5 + 32_768 * 5.25 / 32) * 1e-9)


def test_a_skip_connection_costs_traffic(lab: SimpleNamespace) -> None:
    """A concatenation moves all of its inputs, and the layer behind it reads them once more."""
    parts = (Tensor((1, 16, 8, 8)), Tensor((1, 48, 8, 8)))
    concat = CHIP.operator(Operator("Concat", parts, (Tensor((1, 64, 8, 8)),), (("axis", 1),)))
    assert concat.details["network_pj"] == pytest.approx(64 * 64 * 8 * 5.25 / 32)
    assert concat.area_mm2 == 0
    thin, wide = CHIP.operator(convolution(16, 32, 8)), CHIP.operator(convolution(64, 32, 8))
    assert wide.details["network_ns"] > thin.details["network_ns"]


def test_products_of_activations_are_no_crossbars() -> None:
    op = Operator("MatMul", (Tensor((8, 49, 32)), Tensor((8, 32, 49))), (Tensor((8, 49, 49)),))
    cost = CHIP.operator(op)
    assert cost.details["crossbars"] == 0
    # 614,656 MACs on 64 lanes.
    assert cost.details["compute_ns"] == 8 * 49 * 32 * 49 / 64


@given(st.tuples(st.integers(1, 200), st.integers(1, 200), st.integers(1, 14)), st.integers(0, 2), st.integers(1, 100))
def test_more_work_is_never_cheaper(sizes: tuple[int, int, int], which: int, more: int) -> None:
    grown = [size + more * (i == which) for i, size in enumerate(sizes)]
    small, large = CHIP.operator(convolution(*sizes)), CHIP.operator(convolution(*grown))
    for name in ("latency_ms", "energy_mj", "area_mm2"):
        assert getattr(large, name) >= getattr(small, name)


def test_wrong_designs_are_named() -> None:
    with pytest.raises(InputError, match="read_ns of an accelerator must be above 0"):
        CrossbarTiles(read_ns=-1)
