"""The state of the machine before and during a campaign, in plain sentences.

Nothing here corrects a number; it tells a reader what the numbers were measured under, and what would make them better.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from device_profiles.energy.meter import MeterError
from device_profiles.machine import host
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess

#: Cores' worth of time that others may use, or a hypervisor withhold, before it is worth a sentence: during a campaign, and before it,
#: where the look is so short that the ticks of the kernel's clock are coarse.
BUSY_CORES, _BUSY_BEFORE = 0.1, 0.25

#: Seconds over which the time that others use is looked at before a campaign, and the least between two looks during one.
_PROBE_S, _LOOK_S = 0.1, 2.0

#: Seconds that a campaign waits in all for a device to cool down.
GATE_S = 180.0

#: A clock below this share of the highest one is a slow clock; cores that rest may lower theirs.
_SLOW_CLOCK = 0.9

_FLAGS = {
    0: "the supply voltage is too low",
    1: "the clock is capped",
    2: "the processor is throttled",
    3: "the soft temperature limit is active",
}


def before(root: Path, threads: int) -> list[str]:
    """What speaks against measuring now, one sentence each; empty on a machine that is quiet and steady. Takes a tenth of a second."""
    return [*_busy(root, threads), *_clock(root), *_heat(root), *_limits(root, threads)]


def _busy(root: Path, threads: int) -> Iterator[str]:
    start, own = host.cpu_times(root), sum(os.times()[:2])
    time.sleep(_PROBE_S)
    stop, spent = host.cpu_times(root), sum(os.times()[:2]) - own
    if start is not None and stop is not None:
        others, stolen = (stop.busy_s - start.busy_s - spent) / _PROBE_S, (stop.stolen_s - start.stolen_s) / _PROBE_S
        if others > _BUSY_BEFORE:
            yield f"Other processes use {others:.1f} cores; stop them for narrower intervals."
        if stolen > _BUSY_BEFORE:
            yield f"The hypervisor withholds {stolen:.1f} cores from this machine; its neighbours are busy."
    load = host.load_average(root)
    if load is not None and load > threads + 0.5:
        yield f"The load average is {load:.1f}, more than the {_threads(threads)} of this campaign explain."


def _clock(root: Path) -> Iterator[str]:
    governors = host.governors(root) - {"performance"}
    if governors:
        names = " and ".join(sorted(governors))
        yield f"The frequency governor is {names}: the clock follows the load (steady: sudo cpupower frequency-set -g performance)."
    clocks = host.frequencies(root)
    if clocks and not governors:
        slow = [now for now, most in clocks.values() if now < _SLOW_CLOCK * most]
        if slow:
            yield f"{len(slow)} of {len(clocks)} cores run at {min(slow):.0f} MHz, below their highest clock."
    battery = host.discharging(root)
    if battery:
        yield f"The machine runs on its battery ({battery}), which lowers the clock of many; plug it in."


def _heat(root: Path) -> Iterator[str]:
    flags = _firmware_flags(root)
    yield from (f"The firmware says that {text}." for bit, text in _FLAGS.items() if flags >> bit & 1)
    earlier = [text for bit, text in _FLAGS.items() if flags >> (bit + 16) & 1 and not flags >> bit & 1]
    yield from (f"Since its start it has happened that {text}." for text in earlier)


def _limits(root: Path, threads: int) -> Iterator[str]:
    cores = len(host.allowed_cores())
    quota = host.cpu_quota(root)
    if threads > cores:
        yield f"{_threads(threads)} are asked for, but only {cores} cores may be used: threads wait for each other."
    if quota is not None and threads > quota:
        yield f"This container may use {quota:.1f} cores, fewer than the {_threads(threads)} of this campaign: it is halted now and then."


def line(done: Iterable[str], before: list[str], during: list[str]) -> dict[str, object]:
    """The profile line of one campaign on a file that has the keys `done`."""
    number = sum(key.startswith("conditions/") for key in done)
    return {"type": "conditions", "key": f"conditions/{number}", "before": before, "during": during}


def cool_down(root: Path, limit_s: float, sleep: Callable[[float], None] = time.sleep) -> str | None:
    """Waits while a thermal zone is above its own passive trip point, where the kernel slows the processor down.

    Returns a sentence when it waited, None when there was no need. After `limit_s` seconds it goes on all the same, and says so.
    """
    waited, first = 0.0, _hottest(root)
    zone = first
    while zone is not None and waited < limit_s:
        sleep(1.0)
        waited += 1.0
        zone = _hottest(root)
    if first is None:
        return None
    limit = f"its passive limit of {first.passive_celsius:.0f} C"
    if zone is None:
        return f"Waited {waited:.0f} s until {first.name} was below {limit} ({first.celsius:.0f} C at first)."
    return f"{zone.name} stayed at {zone.celsius:.0f} C, above {limit}, for {waited:.0f} s; measured all the same, so times are too long."


def _hottest(root: Path) -> host.Zone | None:
    """The zone that is furthest above its passive trip point."""
    above = [z for z in host.zones(root) if z.passive_celsius is not None and z.celsius > z.passive_celsius]
    return max(above, key=lambda z: z.celsius - (z.passive_celsius or 0.0), default=None)


class Watch:
    """What happens to the machine while a campaign runs. Call `look` between rounds: it costs little, and nothing most of the time."""

    def __init__(self, root: Path, runtime: RuntimeProcess, gate_s: float = GATE_S) -> None:
        self.root, self.runtime, self._gate_s = root, runtime, gate_s
        self._others: list[float] = []
        self._stolen: list[float] = []
        self._child: list[float] = []
        self._waits: list[str] = []
        self._governors, self._battery = host.governors(root), host.discharging(root)
        self._throttled, self._flags = host.throttle_count(root), _firmware_flags(root)
        self._seen_flags, self._changed = 0, dict[str, None]()
        self._mark()

    def look(self) -> None:
        """Notes what others used since the last look, and waits while the device is too hot; does nothing within two seconds of a look."""
        seconds = time.monotonic() - self._time_s
        if seconds < _LOOK_S:
            return
        last, own, child, generation = self._times, self._own_s, self._child_s, self.runtime.generation
        same_child = generation == self._generation
        self._mark()
        spent = self._child_s - child
        if same_child and self._generation == generation and spent >= 0:
            self._child.append(spent / seconds)
            if last is not None and self._times is not None:
                self._others.append(max(0.0, (self._times.busy_s - last.busy_s - spent - (self._own_s - own)) / seconds))
                self._stolen.append((self._times.stolen_s - last.stolen_s) / seconds)
        self._note_changes()
        self._cool()

    def _mark(self) -> None:
        """The counters from which the next look counts."""
        self._times, self._own_s, self._time_s = host.cpu_times(self.root), sum(os.times()[:2]), time.monotonic()
        try:
            self._child_s = float(self.runtime.usage()["cpu_s"])
        except RuntimeCrash:
            self._child_s = 0.0  # the next request starts another child; what is timed then tells
        self._generation = self.runtime.generation

    def _note_changes(self) -> None:
        governors, battery = host.governors(self.root), host.discharging(self.root)
        if governors != self._governors:
            self._changed[f"The frequency governor became {' and '.join(sorted(governors)) or 'unknown'}."] = None
        if battery and not self._battery:
            self._changed[f"The machine went over to its battery ({battery})."] = None
        self._governors, self._battery = governors, battery
        self._seen_flags |= _firmware_flags(self.root)

    def _cool(self) -> None:
        started = time.monotonic()
        sentence = cool_down(self.root, self._gate_s)
        if sentence:
            self._waits.append(sentence)
            self._gate_s = max(0.0, self._gate_s - (time.monotonic() - started))
            self._mark()

    def findings(self) -> list[str]:
        """What happened, one sentence each; empty when the machine stayed as it was."""
        return [*self._usage(), *self._throttling(), *self._changed, *dict.fromkeys(self._waits)]

    def _usage(self) -> Iterator[str]:
        for name, shares in (("Other processes used", self._others), ("The hypervisor withheld", self._stolen)):
            if shares and max(shares) > BUSY_CORES:
                yield f"{name} {sum(shares) / len(shares):.1f} cores on average, {max(shares):.1f} at most."
        # The child is never busier than its threads: what is beyond them are threads that nobody asked for.
        if self._child and max(self._child) > self.runtime.threads + 0.5:
            yield f"The runtime used {max(self._child):.1f} cores although {_threads(self.runtime.threads)} were asked for."

    def _throttling(self) -> Iterator[str]:
        count = host.throttle_count(self.root)
        if count is not None and self._throttled is not None and count > self._throttled:
            yield f"The processor was slowed down {count - self._throttled} times because of its heat."
        now = self._seen_flags | _firmware_flags(self.root)
        for bit, text in _FLAGS.items():
            if (now >> bit | now >> (bit + 16)) & 1 and not (self._flags >> bit | self._flags >> (bit + 16)) & 1:
                yield f"During the campaign it happened that {text}."


def _firmware_flags(root: Path) -> int:
    """The flags of a Raspberry Pi, 0 where there is no such firmware or it does not answer (a container without its device)."""
    try:
        return host.firmware_flags(root) or 0
    except MeterError:
        return 0


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"
