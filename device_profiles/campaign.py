"""A campaign: a plan measured by the protocol into a profile, round after round, able to go on after any interruption.

Finished items are lines of the profile. Rounds of unfinished items are lines of a journal beside it, so that a campaign that was killed
repeats nothing; the journal goes away when nothing is unfinished.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from device_profiles import journal, protocol
from device_profiles.append import Appender
from device_profiles.drift import Drift, Known, drift
from device_profiles.effort import Effort
from device_profiles.energy.meter import Meter
from device_profiles.errors import RuntimeFailure
from device_profiles.fingerprint import device_fingerprint, refuse_emulated
from device_profiles.items import Item, background_items, by_key, plan_items
from device_profiles.lines import failed_line, network_line, operator_line
from device_profiles.machine import conditions, host
from device_profiles.machine.pinning import Pinning, cores_for
from device_profiles.opening import open_profile
from device_profiles.passes import Passes
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess

#: Called as `progress(share done, message)`.
Progress = Callable[[float, str], None]

#: Share of the remaining budget that is given away before the cost of blocks on this machine is known well.
_CAUTION = 0.7

#: Items taken up before the cost of loading and timing one on this machine has been seen at all, when there is a budget.
_FIRST = 8

#: Models are loaded together as long as their weights and outputs stay below this, and below this share of the memory: loading takes longer
#: than timing a block, so what is taken up stays loaded until it is done.
_LOADED_BYTES, _LOADED_SHARE = 1 << 30, 1 / 8

#: At most this share of a budget is spent on rounds of nothing but canaries.
_PRELUDE_SHARE = 0.05

#: At most this share of a budget is spent on waiting for a hot device to cool down.
_GATE_SHARE = 0.2

#: The drift over its rounds up to which an item may be done early.
_CALM = 0.02

#: So many items come before good rounds: a budget that is too short for both gives them fewer rounds, down to the least.
_ITEMS_FIRST = 100

#: Rounds that a result needs at the very least when the budget ends.
_LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Outcome:
    """What a campaign did: items measured now, had already, failed, left unfinished; seconds in all.

    `timing_share`: of the seconds until the last time was taken, the share spent on blocks, with their first calls, and not on models and
    files (memory and energy come after them).
    """

    measured: int
    already: int
    failed: int
    unfinished: int
    seconds: float
    timing_share: float


class Campaign:
    """One measuring session on one profile file. `run()` measures what the plan holds and the profile does not.

    `meter` measures energy after the times ("auto" takes the best that this device has), `memory` the peak memory of whole networks. `pin`
    keeps the runtime on as many cores as it has threads; see `pinning` for None. `functional` lets an emulated processor through: its
    profile says so, and predictors refuse it. `notice` is told what speaks against measuring now, a sentence at a time. `root` holds the
    files that tell the state of the machine. `known`: ms of the canaries on this device at another, maybe better time.
    """

    def __init__(
        self,
        plan: Plan,
        path: Path,
        runtime: RuntimeProcess,
        *,
        settings: Protocol | None = None,
        budget_s: float | None = None,
        progress: Progress | None = None,
        meter: Meter | Literal["auto"] | None = None,
        memory: bool = False,
        pin: bool | None = None,
        functional: bool = False,
        notice: Callable[[str], object] | None = None,
        root: Path = Path("/"),
        known: Known | None = None,
    ) -> None:
        self.plan, self.path, self.runtime = plan, path, runtime
        self.settings = settings or Protocol()
        self.budget_s, self.progress, self.notice = budget_s, progress or _nobody, notice or _nobody
        self.meter, self.memory, self.functional, self.root = meter, memory, functional, root
        self.known: Known = known or {}
        cores, self._pinned = cores_for(root, runtime.threads, host.allowed_cores(), pin)
        self._pinning, self._reserve_s = Pinning(runtime, cores), 0.0
        self._timed_s, self._target = 0.0, self.settings.max_rounds
        self._looks = self.settings.looks()
        self._effort = Effort(self.settings)

    def run(self) -> Outcome:
        """Measures until everything is done or the budget is spent.

        Raises InputError when the profile was made on another device, DeviceError when the disk is full or the file is in use.
        """
        self._started = time.monotonic()
        device = device_fingerprint(self.root)
        self._room_bytes = min(_LOADED_BYTES, _LOADED_SHARE * (device["memory_mb"] or math.inf) * 2**20)
        if not self.functional:
            refuse_emulated(device)
        journal_path = self.path.with_name(self.path.name + ".journal")
        with Appender(self.path) as self.profile, Appender(journal_path) as self.journal:
            self._passes = Passes(self.runtime, self._pinning.hold, self.meter, self.memory, self.root)
            before = [*conditions.before(self.root, self.runtime.threads), *filter(None, [self._pinned])]
            done = open_profile(self.profile, device, self.settings, self._passes, before, self.functional)
            self._tell(before)
            self._earlier = DeviceProfile.read(self.path).canary_blocks() if self.profile.lines else {}
            everything = plan_items(self.plan, self.settings)
            items = [item for item in everything if item.key not in done]
            background = background_items()
            journal.replay(self.journal, by_key(items, background))
            self._watch = conditions.Watch(self.root, self.runtime, min(conditions.GATE_S, _GATE_SHARE * (self.budget_s or math.inf)))
            self._reserve_s = self._passes.reserve_s(self.budget_s or 0.0, items)
            unfinished = self._rounds(items, background) if items else []
            self._write_canaries(background, done)
            self.profile.sync()
            if not unfinished:
                journal_path.unlink()
            seconds = time.monotonic() - self._started
            self._measure_more(everything, background[0])
            if items:
                self._write_conditions(done, before)
            self._pinning.release()
        failed = sum(item.failed for item in items)
        measured = len(items) - failed - len(unfinished)
        total = time.monotonic() - self._started
        return Outcome(measured, len(everything) - len(items), failed, len(unfinished), total, self._timed_s / seconds)

    def _rounds(self, items: list[Item], background: list[Item]) -> list[Item]:
        """Rounds over all items until each is done or the budget is spent; returns the items that it left unfinished."""
        rng = np.random.default_rng(len(self.journal.lines))
        pending, active, self._total = deque(items), list[Item](), len(items)
        self._background, least = background, min(_LEAST_ROUNDS, self.settings.min_rounds)
        self._number = max((n for item in [*items, *background] for n in item.numbers), default=-1) + 1
        enough = (1 - _PRELUDE_SHARE) * self._left() if self.budget_s is not None else 0.0
        while len(background[0].rounds) < self.settings.prelude_rounds and self._left() > enough:
            self._round([], rng)
            self.progress(0.0, "learning what this device does at its best")
        while (active or pending) and self._left() > 0:
            self._target = self._affordable_rounds(active, pending)
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
        """Seconds of the budget that are left for times: what memory and energy need is kept back."""
        return self._all_left() - self._reserve_s

    def _all_left(self) -> float:
        return math.inf if self.budget_s is None else self.budget_s - (time.monotonic() - self._started)

    def _affordable_rounds(self, active: list[Item], pending: deque[Item]) -> int:
        """Rounds per item that the rest of the budget allows, within the protocol's bounds."""
        if self.budget_s is None:
            return self.settings.max_rounds
        first = list(islice(pending, max(0, _ITEMS_FIRST - (self._total - len(pending)))))
        for_all, for_first = (int(self._effort.rounds(0.95 * self._left(), self._background, active, some)) for some in (pending, first))
        s = self.settings
        return min(max(for_all, s.min_rounds, min(for_first, s.good_rounds)), s.max_rounds)

    def _admit(self, active: list[Item], pending: deque[Item]) -> None:
        """Takes up as many pending items as fit into memory and get all their rounds in the rest of the budget; always at least one."""
        cost = self._effort
        owed = sum(max(0, self._target - len(item.rounds)) * cost.block_s(item) for item in active)
        room = len(pending) if self.budget_s is None or cost.loads > _FIRST else _FIRST - len(active)
        free = self._room_bytes - sum(item.bytes for item in active)
        while pending:
            each = cost.load_s(pending[0]) + self._target * cost.block_s(pending[0])
            if active and (_CAUTION * self._left() - owed < each or room <= 0 or free < pending[0].bytes):
                break
            room -= 1
            free -= pending[0].bytes
            active.append(pending.popleft())
            owed += each

    def _round(self, active: list[Item], rng: np.random.Generator) -> None:
        self._watch.look()
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
            self._pinning.hold()
            started, model = time.monotonic(), item.model()
            handle = self.runtime.load(model, item.isolated)
            self._effort.saw_load(item, time.monotonic() - started)
            item.handle = (self.runtime.generation, handle)
        s, started = self.settings, time.monotonic()
        times, quiet = self.runtime.block(
            item.handle[1], warmup=s.warmup_calls, block_ns=int(s.block_ms * 1e6), min_calls=s.min_calls, max_calls=s.max_calls,
            quiet=s.quiet,
        )  # fmt: skip
        self._timed_s += time.monotonic() - started
        item.rounds.append(protocol.block_summary(times, s.window_us, quiet))
        item.numbers.append(self._number)
        self.journal.append(journal.entry(item))
        self._effort.saw_block(item, time.monotonic() - started)

    def _unload(self, item: Item) -> None:
        if item.handle is not None and item.handle[0] == self.runtime.generation:
            self.runtime.unload(item.handle[1])
        item.handle = None

    def _is_done(self, item: Item) -> bool:
        """Enough rounds; or, looked at now and then, a narrow interval found while the canaries were at their best."""
        count = len(item.rounds)
        if count >= self._target or count not in self._looks:
            return count >= self._target
        return item.half_width < self.settings.narrow and self._drift(item).ratio < 1 + _CALM

    def _drift(self, item: Item) -> Drift:
        quiet = float(protocol.quiet_share(np.array(item.rounds)))
        return drift(self._background[1:], item.numbers, self._earlier, self.known, quiet)

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
        self.profile.append(failed_line(item.key, item.subject, error))
        item.failed = True

    def _write_canaries(self, background: list[Item], done: set[str]) -> None:
        for item in background[1:]:
            if item.rounds:
                session = sum(key.startswith(item.key) for key in done)
                self.profile.append({"type": "canary", "key": f"{item.key}/{session}", "samples_ms": item.rounds})

    def _measure_more(self, everything: list[Item], floor: Item) -> None:
        """Peak memory and energy of all that was measured, now or earlier."""
        lines = DeviceProfile.read(self.path).lines
        good, done = {line["key"] for line in lines if line.get("status") == "ok"}, {line["key"] for line in lines}
        measured = [item for item in everything if item.key in good]
        self._passes.run(self.profile, measured, floor, done, self._all_left, partial(self.progress, 1.0))
        self.profile.sync()

    def _write_conditions(self, done: set[str], before: list[str]) -> None:
        during = self._watch.findings() + [problem for problem in self._passes.problems if problem not in before]
        self.profile.append(conditions.line(done, before, during))
        self._tell(during)

    def _tell(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self.notice(sentence)


def _nobody(*heard: object) -> None:
    """Hears progress and notices where nobody else does."""
