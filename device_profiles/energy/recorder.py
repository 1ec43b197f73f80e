"""Reads a meter in a thread while something else runs, and tells the mean power between two moments afterwards.

What is timed runs in a process of its own; the thread sleeps nearly always and only collects readings.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple

import numpy as np

from device_profiles.energy.meter import Meter, MeterError, Reading, now

#: Between two readings, at the least (seconds): with this distance the thread needs about a hundredth of a slow core.
LEAST_POLL_S = 0.025

#: Seconds to wait for readings of a time that has passed: a log may be written late.
_LATE_S = 5.0

#: Readings older than this many seconds are let go.
_KEPT_S = 120.0

#: Readings that a window needs at the least.
_LEAST_READINGS = 4


class GapError(MeterError):
    """A window has too few readings: the meter stands still or is too slow, or the thread that reads it was kept from running."""


class Power(NamedTuple):
    """Mean watts over a window, and how far the meter's steps and renewals leave them open to either side."""

    watts: float
    doubt: float


class Recorder:
    """Collects the readings of a meter from `with` to its end. Raises MeterError from `between` when the meter failed meanwhile."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.poll_s = max(LEAST_POLL_S, meter.period_s / 4 if meter.unit == "J" else meter.period_s)
        self._readings: list[Reading] = []
        self._error: MeterError | None = None
        self._more = threading.Condition()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="energy", daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _collect(self) -> None:
        while not self._end.wait(self.poll_s):
            try:
                new = self.meter.poll()
            except MeterError as error:
                with self._more:
                    self._error = error
                    self._more.notify_all()
                return
            with self._more:
                self._readings += new
                if self._readings and self._readings[0].time_s < self._readings[-1].time_s - 2 * _KEPT_S:
                    del self._readings[: bisect_left(self._readings, self._readings[-1].time_s - _KEPT_S, key=lambda r: r.time_s)]
                self._more.notify_all()

    def between(self, start_s: float, stop_s: float) -> Power:
        """Mean power from `start_s` to `stop_s` on the clock of the readings. Waits for readings that are still to come.

        Raises GapError when there are too few of them.
        """
        with self._more:
            self._more.wait_for(lambda: self._error or (self._readings and self._readings[-1].time_s >= stop_s), _LATE_S)
            if self._error is not None:
                raise self._error
            first = bisect_left(self._readings, start_s, key=lambda r: r.time_s)
            last = bisect_right(self._readings, stop_s, key=lambda r: r.time_s)
            window = self._readings[first:last]
        return self._counted(window) if self.meter.unit == "J" else self._averaged(window)

    def _counted(self, window: list[Reading]) -> Power:
        """From the first to the last renewal in the window: where exactly between two readings a renewal was is the doubt."""
        renewed = [b for a, b in pairwise(window) if b.value != a.value]
        if len(renewed) < 2 or len(window) < _LEAST_READINGS:
            raise self._too_few(len(window), "the counter stands still")
        seconds, joules = renewed[-1].time_s - renewed[0].time_s, renewed[-1].value - renewed[0].value
        watts = joules / seconds
        return Power(watts, (min(self.poll_s, self.meter.period_s) * watts + self.meter.resolution) / seconds)

    def _averaged(self, window: list[Reading]) -> Power:
        if len(window) < _LEAST_READINGS:
            raise self._too_few(len(window), "it is slower than it says")
        times, watts = np.array(window).T
        mean = float(((watts[1:] + watts[:-1]) / 2 * np.diff(times)).sum() / (times[-1] - times[0]))
        return Power(mean, self.meter.resolution / 2)

    def _too_few(self, count: int, guess: str) -> GapError:
        return GapError(f"the meter {self.meter.name!r} gave {count} readings where at least {_LEAST_READINGS} were needed: {guess}")


def wait(seconds: float) -> tuple[float, float]:
    """Does nothing for a while; returns when that began and ended, on the clock of the readings."""
    start = now()
    threading.Event().wait(seconds)
    return start, now()
