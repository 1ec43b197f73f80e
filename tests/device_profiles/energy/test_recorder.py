from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from device_profiles.energy.meter import Meter, MeterError, Reading, now
from device_profiles.energy.recorder import GapError, Recorder, wait


class Given(Meter):
    """A meter whose value is a function of time, renewed every `period_s`."""

    name, covers, rails, resolution = "given", "a test", ("a",), 0.0

    def __init__(self, unit: Literal["J", "W"], value: Callable[[float], float], period_s: float = 0.005) -> None:
        self.unit, self.value, self.period_s, self.start = unit, value, period_s, now()

    def read(self) -> Reading:
        time_s = now()
        return Reading(time_s, self.value((time_s - self.start) // self.period_s * self.period_s))


def test_a_counter_gives_its_mean_power_and_its_doubt() -> None:
    with Recorder(Given("J", lambda t: 4.0 * t, 0.02)) as recorder:
        power = recorder.between(*wait(0.4))
    assert power.watts == pytest.approx(4.0, rel=0.1)
    assert 0 < power.doubt < 0.1 * power.watts


def test_samples_are_averaged_over_time() -> None:
    with Recorder(Given("W", lambda t: 2.0 if t < 0.2 else 6.0)) as recorder:
        start = recorder.meter.start  # type: ignore[attr-defined]
        wait(0.45)
        assert recorder.between(start + 0.02, start + 0.18).watts == pytest.approx(2.0)
        assert recorder.between(start + 0.22, start + 0.4).watts == pytest.approx(6.0)
        assert recorder.between(start + 0.1, start + 0.3).watts == pytest.approx(4.0, rel=0.25)


def test_readings_that_come_late_are_waited_for() -> None:
    class Late(Given):
        """A log that is written in lumps: nothing for a while, then everything."""

        def poll(self) -> list[Reading]:
            self.kept = [*getattr(self, "kept", []), self.read()]
            if len(self.kept) < 20:
                return []
            given, self.kept = self.kept, []
            return given

    with Recorder(Late("W", lambda t: 5.0)) as recorder:
        assert recorder.between(*wait(0.3)).watts == pytest.approx(5.0)


def test_a_counter_that_stands_still_is_no_zero() -> None:
    with Recorder(Given("J", lambda t: 12.0)) as recorder, pytest.raises(GapError, match="the counter stands still"):
        recorder.between(*wait(0.1))


def test_a_meter_that_fails_says_so_and_does_not_hang() -> None:
    def failing() -> Iterator[float]:
        yield from (1.0, 1.0)
        raise MeterError("the cable is out")

    values = failing()
    with Recorder(Given("W", lambda t: next(values))) as recorder, pytest.raises(MeterError, match="the cable is out"):
        recorder.between(*wait(0.1))


def test_too_few_readings() -> None:
    with Recorder(Given("W", lambda t: 1.0, 0.2)) as recorder, pytest.raises(GapError, match=r"gave \d readings"):
        recorder.between(*wait(0.1))
