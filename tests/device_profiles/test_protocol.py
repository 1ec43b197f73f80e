from __future__ import annotations

import numpy as np
import pytest

from device_profiles import protocol
from device_profiles.errors import InputError
from device_profiles.operators import Operator, Tensor
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity


def rounds(rng: np.random.Generator, true: float, count: int, busy: float) -> np.ndarray:
    """Rounds on a shared machine: in a share `busy` of them a neighbour makes everything 30 to 100 % slower."""
    low = true * (1 + rng.exponential(0.004, count)) * np.where(rng.random(count) < busy, rng.uniform(1.3, 2.0, count), 1.0)
    return np.stack([low, low * 1.02, low * 1.3], axis=1)


def test_headline_ignores_busy_neighbours_and_the_median_does_not() -> None:
    rng = np.random.default_rng(1)
    headline = [protocol.estimate(rounds(rng, 5.0, 16, 0.4)).value for _ in range(200)]
    medians = [np.median(rounds(rng, 5.0, 16, 0.4)[:, 1]) for _ in range(200)]
    assert np.mean(headline) == pytest.approx(5.0, rel=0.01)
    assert np.std(headline) / np.mean(headline) < 0.01
    assert np.std(medians) / np.mean(medians) > 0.05


def test_interval_holds_what_a_second_campaign_finds() -> None:
    rng = np.random.default_rng(2)
    pairs = [[protocol.estimate(rounds(rng, 2.0, 12, 0.3)) for _ in range(2)] for _ in range(300)]
    assert np.mean([a.low <= b.value <= a.high for a, b in pairs]) >= 0.88
    exact = [protocol.estimate(rounds(rng, 2.0, 12, 0.3), systematic=0.0) for _ in range(300)]
    apart = np.quantile([abs(a.value - b.value) for a, b in pairs], 0.9)
    assert np.mean([(e.high - e.low) / 2 for e in exact]) < 3 * apart  # wide enough, and no wider than that


def test_interval_orders_and_few_rounds_are_wide() -> None:
    one = protocol.estimate([[1.0, 1.1, 1.2]])
    assert one.low < 1.0 < one.high
    assert one.high - one.low > 0.1
    many = protocol.estimate([[1.0, 1.1, 1.2]] * 10)
    assert many.high - many.low < 0.01
    with pytest.raises(InputError, match="at least one round"):
        protocol.estimate(np.zeros((0, 3)))


def test_warnings_say_what_is_wrong() -> None:
    quiet, noisy = Quantity(1.0, 0.99, 1.01, "measured"), Quantity(1.0, 0.93, 1.07, "measured")
    assert protocol.warnings(quiet, 8, 0.0, 6) == []
    assert protocol.warnings(quiet, 2, 0.0, 6) == ["few rounds: 2 of 6"]
    assert protocol.warnings(noisy, 8, 0.0, 6) == ["noisy: uncertain by 7%"]
    assert any("7% slower" in w for w in protocol.warnings(quiet, 8, 0.07, 6))


def test_cheap_operators_are_repeated_and_costly_ones_are_not() -> None:
    settings = Protocol()
    tiny = Operator("Relu", (Tensor((1, 16)),), (Tensor((1, 16)),))
    weight = Tensor((512, 512, 3, 3), constant=True)
    large = Operator("Conv", (Tensor((1, 512, 14, 14)), weight), (Tensor((1, 512, 14, 14)),))
    wide = Operator("Add", (Tensor((1, 10**7)),) * 2, (Tensor((1, 10**7)),))
    assert protocol.copies_for(tiny, settings) == settings.max_copies
    assert protocol.copies_for(large, settings) == protocol.copies_for(wide, settings) == 1


def test_block_summary_is_in_milliseconds() -> None:
    assert protocol.block_summary(np.arange(1, 102) * 10**6, 250.0) == [1.0, 51.0, 96.0]


def test_the_fastest_window_is_a_stretch_of_time_not_a_number_of_calls() -> None:
    calls = np.full(1000, 20_000)  # 20 us each
    calls[500:520] = 10_000  # a quiet stretch of 0.2 ms, less than a window
    calls[::2] += 500
    fastest = protocol.block_summary(calls, 250.0)[0]
    assert 0.010 < fastest < 0.020
    assert protocol.block_summary(calls, 20.0)[0] == pytest.approx(0.0102, rel=0.03)
    assert protocol.block_summary(np.array([3_000_000, 2_000_000]), 250.0)[0] == 2.0
    assert protocol.block_summary(np.array([3_000, 1_000]), 250.0)[0] == 0.002  # less than a window in all


def test_quiet_calls_are_summed_up_beside_the_others() -> None:
    calls = np.array([10, 30, 11, 50, 12, 13]) * 10**6
    summary = protocol.block_summary(calls, 250.0, np.array([True, False, True, False, True, True]))
    assert summary[:3] == protocol.block_summary(calls, 250.0)
    assert summary[3:] == [pytest.approx(11.05), 4.0]
    assert protocol.block_summary(calls, 250.0, np.zeros(6, dtype=bool))[3:] == [0.0, 0.0]


def noisy_blocks(rounds: int, seed: int, quiet_share: float = 0.3) -> np.ndarray:
    """Blocks of ten calls of 1 ms on a core whose neighbour makes most calls up to twice as slow."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(rounds):
        quiet = rng.random(10) < quiet_share * rng.random() * 2
        times = (1 + rng.exponential(0.01, 10)) * np.where(quiet, 1.0, rng.uniform(1.2, 2.0, 10)) * 1e6
        rows.append(protocol.block_summary(times.astype(np.int64), 8000.0, quiet))
    return np.array(rows)


def test_quiet_calls_decide_where_there_are_many_of_them() -> None:
    many = [protocol.estimate(noisy_blocks(64, seed)) for seed in range(40)]
    assert max(abs(q.value - 1.005) for q in many) < 0.025
    assert np.mean([q.low <= 1.005 <= q.high for q in many]) > 0.5
    blocks = noisy_blocks(64, 0)
    assert protocol.estimate(blocks[:, :3]).value > 1.1  # without knowing which
    none = blocks.copy()
    none[:, 3:] = 0.0
    assert protocol.estimate(none) == protocol.estimate(blocks[:, :3])


def test_the_headline_hardly_depends_on_the_number_of_rounds() -> None:
    few, many = (np.mean([protocol.estimate(noisy_blocks(n, s)).value for s in range(30)]) for n in (64, 512))
    without = [np.mean([protocol.estimate(noisy_blocks(n, s)[:, :3]).value for s in range(30)]) for n in (64, 512)]
    assert abs(few - many) < 0.6 * abs(without[0] - without[1])


def test_quiet_calls_count_by_their_number_and_never_at_a_stroke() -> None:
    row = [1.0, 1.2, 1.5, 1.1]
    values = [protocol.estimate([[*row, float(n)]] * 4).value for n in range(20)]
    assert values[0] == 1.0
    assert (np.diff(values) > 0).all()
    assert max(np.diff(values)) < 0.035
    assert values[2] == pytest.approx(1.1**0.5)  # 4 x 2 calls
    assert protocol.estimate([[*row, 50.0]] * 2).value == 1.0  # two rounds are too few


def test_blocks_without_quiet_calls_do_not_weigh_among_quiet_ones() -> None:
    quiet = np.array([[1.0, 1.2, 1.5, 1.1, 8.0]] * 4)
    mixed = np.vstack([quiet, [[2.0, 2.2, 2.5, 0.0, 0.0]] * 20])
    assert protocol.quiet_typical(mixed) == 1.1
    assert protocol.quiet_share(mixed) == 0.8
