from __future__ import annotations

import numpy as np
import pytest

from device_profiles import extras
from device_profiles.energy.recorder import Power
from device_profiles.energy.summary import Run, energy_line, half_width, idle_quantity

IDLE = [Power(2.0, 0.01), Power(2.02, 0.01), Power(1.98, 0.01), Power(2.0, 0.01)]


def runs(watts: float, call_ms: float, spread: float = 0.0, idle: float = 2.0) -> list[Run]:
    return [Run(Power(watts * (1 + spread * i), 0.01), call_ms / 1e3, 100, idle) for i in (-1, 0, 1)]


def test_rest_is_subtracted_and_both_are_kept() -> None:
    line = energy_line("n", runs(5.0, 10.0), None, 1, IDLE)
    extras.check(line)
    assert line["energy_mj"]["value"] == pytest.approx(30.0)
    assert line["total_energy_mj"]["value"] == pytest.approx(50.0)
    assert line["power_w"]["value"] == pytest.approx(5.0)
    assert line["idle_w"]["value"] == pytest.approx(2.0)
    assert line["warnings"] == []
    assert line["runs"][0] == [5.0, 2.0, 10.0, 100]


def test_copies_share_what_the_empty_call_does_not_take() -> None:
    line = energy_line("o", runs(5.0, 1.1), runs(5.0, 0.1), 10, IDLE)
    assert line["energy_mj"]["value"] == pytest.approx((3.0 * 1.1 - 3.0 * 0.1) / 10)
    assert line["total_energy_mj"]["value"] == pytest.approx(5.0 * 1.0 / 10)


def half(line: dict[str, dict[str, float]]) -> float:
    return (line["energy_mj"]["high"] - line["energy_mj"]["low"]) / 2


def test_every_source_of_doubt_widens_the_interval() -> None:
    calm = half(energy_line("n", runs(5.0, 10.0), None, 1, IDLE))
    assert half(energy_line("n", runs(5.0, 10.0, 0.02), None, 1, IDLE)) > 1.5 * calm
    restless = [Power(2.0 + 0.2 * (-1) ** i, 0.01) for i in range(4)]
    assert half(energy_line("n", runs(5.0, 10.0), None, 1, restless)) > 1.5 * calm
    coarse = [Power(2.0, 0.2)] * 4
    assert half(energy_line("n", runs(5.0, 10.0), None, 1, coarse)) > 1.5 * calm
    rough = [Run(Power(5.0, 0.5), 0.01, 100, 2.0)] * 3
    assert half(energy_line("n", rough, None, 1, IDLE)) > 1.5 * calm


def test_what_cannot_be_told_is_a_failure_and_no_number() -> None:
    line = energy_line("n", runs(2.0, 10.0, idle=2.1), None, 1, IDLE)
    assert line["status"] == "failed"
    assert "below what the meter can tell" in line["error"]
    assert "energy_mj" not in line
    noisy = energy_line("n", runs(2.1, 10.0, 0.05), None, 1, IDLE)
    assert noisy["energy_mj"]["low"] == 0
    assert noisy["warnings"][0].startswith("noisy: energy uncertain by")


def test_the_interval_of_a_mean_holds_it_nine_times_in_ten() -> None:
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        values = rng.normal(3.0, 0.5, 3)
        inside += abs(values.mean() - 3.0) <= half_width(values)
    assert inside / 2000 == pytest.approx(0.9, abs=0.025)


def test_power_at_rest_with_its_interval() -> None:
    rest = idle_quantity(IDLE)
    assert rest.value == pytest.approx(2.0)
    assert rest.high - rest.value == pytest.approx(rest.value - rest.low)
    assert 0.01 < rest.high - rest.value < 0.03
