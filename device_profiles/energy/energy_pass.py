"""What one call costs in millijoules: items run back to back between windows of rest, several rounds, in a new order each.

The energy of a call is the mean power while the item runs times the time per call of the same run; what the device draws at rest anyway is
measured before, between and after the rounds and subtracted. Latency is never taken from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from device_profiles.energy.meter import Meter, now
from device_profiles.energy.recorder import GapError, Power, Recorder, wait
from device_profiles.energy.summary import Run, energy_line, failed_line
from device_profiles.errors import RuntimeFailure
from device_profiles.items import Item
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess

Result = TypeVar("Result")

#: Seconds that an item runs per round: this many periods of the meter, and never less than that.
_PERIODS, _LEAST_S = 20, 0.3

#: Rounds per item, and items that share the rests between their rounds.
ROUNDS, CHUNK = 3, 12

#: Share of every window that is left out at its beginning, while power is still rising.
_LEAD = 0.1

#: Seconds per run beyond the run itself, to load a model; only used to fit into a budget.
_LOAD_S = 0.05


class _Rest(NamedTuple):
    """One window without work: its middle on the clock of the readings, and its power."""

    time_s: float
    power: Power


class EnergyPass:
    """Measures the energy of items with one meter. Use it in a `with` block: the meter is read from its beginning to its end.

    `prepare` is called before every load of a model.
    """

    def __init__(self, meter: Meter, runtime: RuntimeProcess, prepare: Callable[[], None], seed: int = 0) -> None:
        self.runtime, self.prepare = runtime, prepare
        self.block_s = max(_LEAST_S, _PERIODS * meter.period_s)
        self._recorder, self._rng = Recorder(meter), np.random.default_rng(seed)

    def __enter__(self) -> EnergyPass:
        self._recorder.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._recorder.__exit__(kind, error, trace)

    def measure(self, items: Sequence[Item], floor: Item, left: Callable[[], float]) -> Iterator[dict[str, Any]]:
        """The profile lines of the items, in their order, a group at a time; ends when no more fit into the seconds that are `left()`.

        `floor` is the empty call, which isolated items are measured against. Raises MeterError when the meter fails.
        """
        position = 0
        while position < len(items):
            each = ROUNDS * (self.block_s + _LOAD_S)
            rests = (ROUNDS + 1) * self.block_s + each  # and the empty call
            room = min((left() - rests) / each, CHUNK)
            if room < 1:
                return
            group = items[position : position + int(room)]
            yield from self._group(group, floor)
            position += len(group)

    def _group(self, items: Sequence[Item], floor: Item) -> Iterator[dict[str, Any]]:
        runs: dict[str, list[tuple[Run, float]]] = {}
        errors: dict[str, str] = {}
        rests = [self._rest()]
        for _ in range(ROUNDS):
            for index in self._rng.permutation(len(items) + 1):
                item = floor if index == len(items) else items[index]
                if item.key not in errors:
                    try:
                        runs.setdefault(item.key, []).append(_patiently(partial(self._run, item)))
                    except (RuntimeFailure, RuntimeCrash) as error:
                        errors[item.key] = str(error)
            rests.append(self._rest())
        idle = [rest.power for rest in rests]
        done = {key: [run.at_rest(_interpolated(rests, time_s)) for run, time_s in values] for key, values in runs.items()}
        for item in items:
            if item.key in errors or floor.key in errors:
                yield failed_line(item.key, errors.get(item.key, errors.get(floor.key, "")))
            else:
                yield energy_line(item.key, done[item.key], done[floor.key] if item.isolated else None, item.copies, idle)

    def rest(self) -> Power:
        """The power of the device without work, over one window."""
        return self._rest().power

    def _rest(self) -> _Rest:
        return _patiently(self._one_rest)

    def _one_rest(self) -> _Rest:
        start, stop = wait(self.block_s)
        return _Rest((start + stop) / 2, self._recorder.between(start + _LEAD * self.block_s, stop))

    def _run(self, item: Item) -> tuple[Run, float]:
        """One run of an item, and the middle of its window."""
        self.prepare()
        handle = self.runtime.load(item.model(), item.isolated)
        warmup = 3
        start = now()
        times = self.runtime.time(handle, warmup=warmup, block_ns=int(self.block_s * 1e9), min_calls=3, max_calls=1 << 40)
        replied = now()
        self.runtime.unload(handle)
        # Calls that are cheap leave time between them that is spent all the same: the block is full, or longer than full of dear calls.
        seconds = max(float(times.sum()) / 1e9, self.block_s)
        call_s = seconds / len(times)
        stop = min(start + warmup * call_s + seconds, replied)
        return Run(self._recorder.between(start + _LEAD * self.block_s, stop), call_s, len(times)), (start + stop) / 2


def _patiently(window: Callable[[], Result]) -> Result:
    """A busy machine may keep the thread that reads from running for a while: a window is taken again, twice at most."""
    for _ in range(2):
        with suppress(GapError):
            return window()
    return window()


def _interpolated(rests: Sequence[_Rest], time_s: float) -> float:
    return float(np.interp(time_s, [rest.time_s for rest in rests], [rest.power.watts for rest in rests]))
