from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from device_profiles.operators import Operator, Tensor
from predictors.accelerators.gemm import Gemm
from predictors.accelerators.systolic import DATAFLOWS, MAC_UM2, SystolicArray

SMALL = SystolicArray(rows=4, columns=4, input_kb=8, weight_kb=8, output_kb=8)


def pointwise(channels_in: int, channels_out: int, size: int) -> Operator:
    """A 1 x 1 convolution without bias."""
    weight = Tensor((channels_out, channels_in, 1, 1), constant=True)
    return Operator("Conv", (Tensor((1, channels_in, size, size)), weight), (Tensor((1, channels_out, size, size)),))


def test_cycles_by_hand() -> None:
    # 8 -> 6 channels at 5 x 5 positions: a product of (25, 8) by (8, 6). The array is 4 x 4, so a fold takes 2*4 + 4 + T - 2 = 10 + T.
    gemm = Gemm(25, 8, 6)
    # Stationary outputs: ceil(25/4) = 7 by ceil(6/4) = 2 folds of the 25 x 6 outputs, T = 8.
    assert replace(SMALL, dataflow="output-stationary").cycles(gemm) == 14 * 18
    # Stationary weights: ceil(8/4) = 2 by 2 folds of the 8 x 6 weights, T = 25.
    assert replace(SMALL, dataflow="weight-stationary").cycles(gemm) == 4 * 35
    # Depthwise 3 x 3: eight products of (25, 9) by (9, 1); 7 folds of T = 9 each, or 3 folds of T = 25.
    assert replace(SMALL, dataflow="output-stationary").cycles(Gemm(25, 9, 1, 8)) == 8 * 7 * 19
    assert replace(SMALL, dataflow="weight-stationary").cycles(Gemm(25, 9, 1, 8)) == 8 * 3 * 35


def test_one_operator_by_hand() -> None:
    cost = SMALL.operator(pointwise(8, 6, 5))
    # 200 inputs, 48 weights and 150 results of one byte: 398 bytes at 12.8 GB/s take 31.1 ns, computing takes 140: that decides.
    assert cost.details["dram_bytes"] == 398
    assert cost.latency_ms == pytest.approx((100 + 140) * 1e-6)
    # SRAM: inputs twice (two folds across), weights once, 150 results written twice and read once (two folds of the inner dimension).
    assert cost.details["sram_bytes"] == 400 + 48 + 450
    # 1,200 MACs of 0.3 pJ; 8 kB of SRAM give 64 bits for 10 pJ, DRAM for 1,300.
    assert cost.energy_mj == pytest.approx((1200 * 0.3 + 898 * 10 / 8 + 398 * 1300 / 8) * 1e-9)
    assert cost.area_mm2 == 0


def test_a_slow_memory_decides() -> None:
    slow = replace(SMALL, dram_gb_per_s=0.398)
    assert slow.operator(pointwise(8, 6, 5)).latency_ms == pytest.approx((100 + 1000) * 1e-6)


def test_what_does_not_fit_is_read_again() -> None:
    # 256 inputs of 16 x 16 are 64 kB in a memory of 8, 64 kB of weights in another: 8 chunks each, so one of both comes eight times.
    op = pointwise(256, 256, 16)
    spilled = 65536 * (2 * 256 // 4 - 1)  # 64 kB of partial sums, 64 folds of the inner dimension
    assert SMALL.operator(op).details["dram_bytes"] == 65536 + 8 * 65536 + spilled
    assert replace(SMALL, dataflow="output-stationary").operator(op).details["dram_bytes"] == 9 * 65536 + 65536
    large = replace(SMALL, input_kb=64, weight_kb=64, output_kb=64)
    assert large.operator(op).details["dram_bytes"] == 3 * 65536


def test_area_by_hand() -> None:
    cells = (4 * 4 + 4) * MAC_UM2[8] * 1e-6
    assert SMALL.standing.area_mm2 == pytest.approx(cells + 24 * 1024 * 8 * 0.346e-6 / 0.5)
    assert replace(SMALL, rows=8).standing.area_mm2 > SMALL.standing.area_mm2


def test_energy_of_sram_follows_the_table() -> None:
    for size, energy in ((8, 10), (32, 20), (1024, 100), (1, 10), (4096, 100)):
        array = replace(SMALL, input_kb=size, weight_kb=size, output_kb=size)
        assert array.sram_pj_per_byte == pytest.approx(energy / 8)
    assert 20 / 8 < replace(SMALL, input_kb=128).sram_pj_per_byte < 100 / 8


def test_operators_without_macs_have_a_price(lab: SimpleNamespace) -> None:
    relu = SMALL.operator(lab.elementwise("Relu", 1, 16, 32, 32))
    # 16,384 steps on 4 lanes at 1 GHz.
    assert relu.latency_ms == pytest.approx((100 + 4096) * 1e-6)
    renamed = SMALL.operator(Operator("Shape", (), (Tensor((0,)),)))
    assert renamed.latency_ms > 0
    assert renamed.energy_mj > 0


@given(
    st.sampled_from(DATAFLOWS), st.tuples(*[st.integers(1, 300)] * 3), st.integers(0, 2), st.integers(1, 100), st.sampled_from([8, 16, 32])
)
def test_more_work_is_never_cheaper(dataflow: str, sizes: tuple[int, int, int], which: int, more: int, bits: int) -> None:
    array = SystolicArray(rows=8, columns=4, dataflow=dataflow, bits=bits, input_kb=8, weight_kb=8, output_kb=8)
    grown = tuple(size + more * (i == which) for i, size in enumerate(sizes))
    small, large = (
        array.operator(
            Operator("MatMul", (Tensor((m, k)), Tensor((k, n), constant=True)), (Tensor((m, n)),)),
        )
        for m, k, n in (sizes, grown)
    )
    assert large.latency_ms >= small.latency_ms
    assert large.energy_mj >= small.energy_mj


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dataflow": "weight"}, "did you mean 'weight-stationary'"),
        ({"bits": 4}, "bits of a systolic array"),
        ({"rows": 0}, "rows of an accelerator"),
    ],
)
def test_wrong_designs_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SystolicArray(**wrong)  # type: ignore[arg-type]
