"""A campaign: a plan measured by the protocol into a profile, round after round, able to go on after any interruption.

Finished items are lines of the profile. Rounds of unfinished items are lines of a journal beside it, so that a campaign that was killed
repeats nothing; the journal goes away when nothing is unfinished.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles import protocol
from device_profiles.drift import Drift, drift
from device_profiles.errors import InputError
from device_profiles.fingerprint import device_fingerprint, differences
from device_profiles.items import Item, background_items, by_key, plan_items
from device_profiles.operators import Operator
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.profile import SCHEMA, Appender, DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity
from device_profiles.runtimes.process import RuntimeCrash, RuntimeFailure, RuntimeProcess

#: Called as `progress(share done, message)`.
Progress = Callable[[float, str], None]

#: Seconds to make one session, and per block beyond the block itself, before any was seen; only used to divide a budget into rounds.
_LOAD_S, _OVERHEAD_S = 0.012, 0.002

#: Share of the remaining budget that is given away before the cost of blocks on this machine is known well.
_CAUTION = 0.7

#: Items taken up before the cost of loading and timing one on this machine has been seen at all, when there is a budget.
_FIRST = 8

#: Sessions are freed after every block once the loaded models exceed this.
_LOADED_BYTES = 1 << 30

#: At most this share of a budget is spent on rounds of nothing but canaries.
_PRELUDE_SHARE = 0.05

#: Rounds between two looks at whether an item is done, and the drift over its rounds up to which it may be done early.
_LOOK_EVERY, _CALM = 3, 0.02

#: Rounds that a result needs at the very least when the budget ends.
_LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Outcome:
    """What a campaign did: items measured now, had already, failed, left unfinished; seconds, and the share of them spent timing."""

    measured: int
    already: int
    failed: int
    unfinished: int
    seconds: float
    timing_share: float


class Campaign:
    """One measuring session on one profile file. `run()` measures what the plan holds and the profile does not."""

    def __init__(
        self,
        plan: Plan,
        path: Path,
        runtime: RuntimeProcess,
        *,
        settings: Protocol | None = None,
        budget_s: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.plan, self.path, self.runtime = plan, path, runtime
        self.settings = settings or Protocol()
        self.budget_s, self.progress = budget_s, progress or _silent
        self._timed_s, self._loaded_bytes, self._target = 0.0, 0, self.settings.max_rounds
        self._loads, self._blocks = _Mean(_LOAD_S), _Mean(self.settings.block_ms / 1e3 + _OVERHEAD_S)

    def run(self) -> Outcome:
        """Measures until everything is done or the budget is spent.

        Raises InputError when the profile was made on another device, DeviceError when the disk is full or the file is in use.
        """
        self._started = time.monotonic()
        journal_path = self.path.with_name(self.path.name + ".journal")
        with Appender(self.path) as self.profile, Appender(journal_path) as self.journal:
            done = self._open_profile()
            self._earlier = DeviceProfile.read(self.path).canary_windows() if self.profile.lines else {}
            everything = plan_items(self.plan, self.settings)
            items = [item for item in everything if item.key not in done]
            background = background_items()
            self._replay(by_key(items, background))
            unfinished = self._rounds(items, background) if items else []
            self._write_canaries(background, done)
            self.profile.sync()
            if not unfinished:
                journal_path.unlink()
        seconds, failed = time.monotonic() - self._started, sum(item.failed for item in items)
        measured = len(items) - failed - len(unfinished)
        return Outcome(measured, len(everything) - len(items), failed, len(unfinished), seconds, self._timed_s / seconds)

    def _open_profile(self) -> set[str]:
        """Writes the header of a new profile, or checks that an old one was made here; returns the keys it has."""
        device, runtime = device_fingerprint(), self.runtime.fingerprint()
        if not self.profile.lines:
            header = {
                "type": "header", "schema": SCHEMA, "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "device": device, "runtime": runtime, "protocol": self.settings.to_json(), "energy": "unavailable",
            }  # fmt: skip
            self.profile.append(header)
            return set()
        known = DeviceProfile.read(self.path)
        differing = differences(device, runtime, known.header["device"], known.header["runtime"])
        if differing:
            raise InputError(f"{self.path} was measured on another device ({'; '.join(differing)}); choose another file for this one")
        return {line["key"] for line in known.lines}

    def _replay(self, items: dict[str, Item]) -> None:
        """Gives the items the rounds that an interrupted session had timed."""
        for text in self.journal.lines:
            line = json.loads(text)
            item = items.get(line["key"])
            if item is not None and item.copies == line["copies"]:
                item.rounds.append(line["ms"])
                item.numbers.append(line["round"])

    def _rounds(self, items: list[Item], background: list[Item]) -> list[Item]:
        """Rounds over all items until each is done or the budget is spent; returns the items that it left unfinished."""
        rng = np.random.default_rng(len(self.journal.lines))
        pending, active = deque(items), list[Item]()
        self._background, least = background, min(_LEAST_ROUNDS, self.settings.min_rounds)
        self._number = max((n for item in [*items, *background] for n in item.numbers), default=-1) + 1
        enough = (1 - _PRELUDE_SHARE) * self._left() if self.budget_s is not None else 0.0
        while len(background[0].rounds) < self.settings.prelude_rounds and self._left() > enough:
            self._round([], rng)
            self.progress(0.0, "learning what this device does at its best")
        self._target = self._affordable_rounds(len(items))
        while (active or pending) and self._left() > 0:
            self._admit(active, pending)
            # Before the round, not after it: what an interrupted session had completed is written now, not measured again.
            active = self._write_finished(active, self._target)
            if active:
                self._round(active, rng)
            self._report(len(items), active, pending)
        return [*self._write_finished(active, least), *pending]

    def _write_finished(self, active: list[Item], enough: int) -> list[Item]:
        """Writes the items that are done or have `enough` rounds; returns those that go on."""
        going_on = []
        for item in active:
            if not item.failed and (self._is_done(item) or len(item.rounds) >= enough):
                self._write(item)
            elif not item.failed:
                going_on.append(item)
        return going_on

    def _left(self) -> float:
        """Seconds of the budget that are left."""
        return float("inf") if self.budget_s is None else self.budget_s - (time.monotonic() - self._started)

    def _affordable_rounds(self, count: int) -> int:
        """Rounds per item that the budget allows, within the protocol's bounds."""
        if self.budget_s is None:
            return self.settings.max_rounds
        rounds = int((0.95 * self._left() - count * self._loads.value) / (self._blocks.value * (count + 3)))
        return min(max(rounds, self.settings.min_rounds), self.settings.max_rounds)

    def _admit(self, active: list[Item], pending: deque[Item]) -> None:
        """Takes up as many pending items as the rest of the budget can give all their rounds; always at least one."""
        owed = sum(max(0, self._target - len(item.rounds)) for item in active) * self._blocks.value
        each = self._loads.value + self._target * self._blocks.value
        room = len(pending) if self.budget_s is None or self._loads.count > _FIRST else _FIRST - len(active)
        while pending and ((_CAUTION * self._left() - owed >= each and room > 0) or not active):
            room -= 1
            active.append(pending.popleft())
            owed += each

    def _round(self, active: list[Item], rng: np.random.Generator) -> None:
        for item in self._background:
            self._block(item)
        for index in rng.permutation(len(active)):
            try:
                self._block(active[index])
            except (RuntimeFailure, RuntimeCrash) as error:
                self._write_failure(active[index], str(error))
        self._number += 1

    def _block(self, item: Item) -> None:
        """Times one block of one item and writes it into the journal."""
        if item.handle is None or item.handle[0] != self.runtime.generation:
            started, model = time.monotonic(), item.model()
            handle = self.runtime.load(model, item.isolated)
            self._loads.add(time.monotonic() - started)
            item.handle, item.model_bytes = (self.runtime.generation, handle), len(model)
            self._loaded_bytes += len(model)
        s, started = self.settings, time.monotonic()
        times = self.runtime.time(
            item.handle[1], warmup=s.warmup_calls, block_ns=int(s.block_ms * 1e6), min_calls=s.min_calls, max_calls=s.max_calls
        )
        self._timed_s += float(times.sum()) / 1e9
        item.rounds.append(protocol.block_summary(times, s.window_us))
        item.numbers.append(self._number)
        self.journal.append({"key": item.key, "copies": item.copies, "round": self._number, "ms": item.rounds[-1]})
        self._blocks.add(time.monotonic() - started)
        if self._loaded_bytes > _LOADED_BYTES:
            self._unload(item)

    def _unload(self, item: Item) -> None:
        if item.handle is not None and item.handle[0] == self.runtime.generation:
            self.runtime.unload(item.handle[1])
            self._loaded_bytes -= item.model_bytes
        item.handle = None

    def _is_done(self, item: Item) -> bool:
        """Enough rounds; or, looked at now and then, a narrow interval found while the canaries were at their best."""
        count = len(item.rounds)
        if count >= self._target or count < self.settings.min_rounds or (count - self.settings.min_rounds) % _LOOK_EVERY:
            return count >= self._target
        return item.half_width < self.settings.narrow and self._drift(item).ratio < 1 + _CALM

    def _drift(self, item: Item) -> Drift:
        return drift(self._background[1:], item.numbers, self._earlier)

    def _report(self, total: int, active: list[Item], pending: deque[Item]) -> None:
        done = total - len(active) - len(pending)
        partly = sum(len(item.rounds) for item in active) / self._target
        self.progress((done + partly) / total, f"{done} of {total} measured")

    def _write(self, item: Item) -> None:
        raw, over = np.array(item.rounds), self._drift(item)
        if isinstance(item.subject, WholeNetwork):
            line = network_line(item.key, item.subject, raw, over, self.settings.min_rounds)
        else:
            floor = protocol.estimate(self._background[0].rounds).value
            line = operator_line(item.key, item.subject, raw, item.copies, floor, over, self.settings.min_rounds)
        self.profile.append(line)
        self._unload(item)

    def _write_failure(self, item: Item, error: str) -> None:
        kind = "operator" if isinstance(item.subject, Operator) else "network"
        line: dict[str, Any] = {"type": kind, "key": item.key, "status": "failed", "error": error}
        if isinstance(item.subject, Operator):
            line["operator"] = item.subject.to_json()
        self.profile.append(line)
        item.failed = True

    def _write_canaries(self, background: list[Item], done: set[str]) -> None:
        for item in background[1:]:
            session = sum(key.startswith(item.key) for key in done)
            if item.rounds:
                self.profile.append({"type": "canary", "key": f"{item.key}/{session}", "samples_ms": item.rounds})


class _Mean:
    """A running mean that starts from a guess."""

    def __init__(self, guess: float) -> None:
        self._sum, self.count = guess, 1

    def add(self, value: float) -> None:
        self._sum, self.count = self._sum + value, self.count + 1

    @property
    def value(self) -> float:
        return self._sum / self.count


def _silent(share: float, message: str) -> None:
    """Progress that nobody watches."""


def operator_line(
    key: str, op: Operator, raw: npt.NDArray[np.float64], copies: int, floor_ms: float, over: Drift, min_rounds: int
) -> dict[str, Any]:
    """The profile line of an operator from its raw rounds: the empty call is subtracted, and the rest divided by the copies."""
    # A kernel cheaper than the clock can tell still takes some time: never 0.
    samples = np.maximum((raw - floor_ms) / copies, 1e-6)
    line = {
        "type": "operator", "key": key, "status": "ok", "operator": op.to_json(),
        "copies": copies, "floor_ms": _short(floor_ms), **_numbers(samples, over, min_rounds),
    }  # fmt: skip
    if protocol.estimate(samples).value <= 2e-6:
        line["warnings"].append("below what the clock can tell")
    return line


def network_line(key: str, net: WholeNetwork, raw: npt.NDArray[np.float64], over: Drift, min_rounds: int) -> dict[str, Any]:
    """The profile line of a whole network: nothing is subtracted, a user pays for the call too."""
    executed = net.executed
    return {
        "type": "network", "key": key, "status": "ok", "name": net.name,
        "operators": [[op.to_json(), count] for op, count in executed.counts()],
        "macs": executed.macs, "params": executed.params, "peak_activation_bytes": executed.peak_activation_bytes,
        **_numbers(raw, over, min_rounds),
    }  # fmt: skip


def _numbers(samples: npt.NDArray[np.float64], over: Drift, min_rounds: int) -> dict[str, Any]:
    """What both kinds of lines say about their rounds; `drift` is what the headline was corrected by (1 for not at all)."""
    quantity = over.corrected(protocol.estimate(samples))
    latency = Quantity(_short(quantity.value), _short(quantity.low), _short(quantity.high), quantity.origin)
    return {
        "latency_ms": latency.to_json(),
        "median_ms": _short(float(np.median(samples[:, 1]))),
        "p95_ms": _short(float(np.median(samples[:, 2]))),
        "drift": _short(over.ratio) if over.significant else 1.0,
        "samples_ms": [[_short(v) for v in row] for row in samples],
        "warnings": protocol.warnings(quantity, len(samples), over.ratio - 1, min_rounds),
    }


def _short(value: float) -> float:
    """Seven digits: far below what can be measured, and readable."""
    return float(f"{value:.7g}")
