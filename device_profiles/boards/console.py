"""What a campaign says on a plain terminal: how far it is, how long it will take, and what came out."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from device_profiles.durations import spoken
from device_profiles.profile import DeviceProfile

#: Operators named in the summary.
_SLOWEST = 5


class Progress:
    """Shows `share` and `message` with the remaining time: one line drawn again on a terminal, a new line every few seconds elsewhere."""

    def __init__(
        self,
        stream: TextIO | None = None,
        budget_s: float | None = None,
        every_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every_s = every_s if every_s is not None else 0.2 if self._terminal else 5.0
        self._clock, self._started, self._budget_s = clock, clock(), budget_s
        self._first: tuple[float, float] | None = None
        self._last, self._width = -float("inf"), 0

    def left_s(self, share: float) -> float | None:
        """Seconds that remain, from the share done since the first report, and never more than the budget; None before that can be said."""
        now = self._clock()
        if self._first is None or share < self._first[1]:
            self._first = (now, share)
        gained, budget = share - self._first[1], None
        if self._budget_s is not None:
            budget = max(0.0, self._budget_s - (now - self._started))
        if gained <= 0 or now - self._first[0] < 1:
            return budget
        left = (1 - share) * (now - self._first[0]) / gained
        return left if budget is None else min(left, budget)

    def __call__(self, share: float, message: str) -> None:
        left = self.left_s(share)
        if self._clock() - self._last < self._every_s:
            return
        self._last = self._clock()
        text = f"{min(share, 1.0):4.0%}  {message}" + (f", about {spoken(left)} left" if left is not None else "")
        if self._terminal:
            text = text[: shutil.get_terminal_size().columns - 1]
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Leaves the line that was drawn."""
        if self._terminal and self._width:
            self._stream.write("\n")
        self._width = 0


def summary(path: Path, unfinished: int) -> str:
    """What a profile holds, on less than one screen."""
    profile = DeviceProfile.read(path)
    operators, networks, failures = profile.operators(), profile.networks(), profile.failures()
    noted = sum(bool(op.warnings) for op in operators) + sum(bool(net.warnings) for net in networks)
    lines = [
        f"device      {profile.device_name}",
        f"measured    {len(operators)} operators, {len(networks)} whole networks; {len(failures)} failed, {noted} with warnings",
    ]
    lines += [f"failed      {line['key'][:60]}: {line['error'][:60]}" for line in failures[:3]]
    slowest = sorted(operators, key=lambda item: -item.latency_ms.value)[:_SLOWEST]
    lines += [f"{'slowest' if i == 0 else '':<11} {item.latency_ms.value:9.4g} ms  {item.key[:90]}" for i, item in enumerate(slowest)]
    if unfinished:
        lines.append(f"unfinished  {unfinished} did not fit into the budget; the same command goes on")
    return "\n".join(lines)
