"""Which calls ran while the core was left alone.

On a shared machine the sibling thread of a core may belong to somebody else, whose work makes everything on the core 1.3 to 2 times as
slow, for some hundred microseconds or for seconds. A probe, a small product of matrices, tells within microseconds how it is now. It runs
before and after every call: a call between two fast probes was left alone. Nothing is waited for, only the better core is taken.

Several threads need all their cores left alone. Their probe is a small model that the runtime runs on these very threads.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device_profiles.machine import host

#: Side of the matrices of the probe: a microsecond of arithmetic on a desktop core, in a quarter of the nearest cache.
_SIDE = 32

#: The fastest look of every slot of time is remembered, for so many slots (some three minutes), and the best is what this share of them
#: reach: a device that got slower for good is taken as it is after that, a neighbour who stays for a minute is not.
_SLOT_NS, _SLOTS, _BEST = 50_000_000, 4096, 0.05

Nanoseconds = npt.NDArray[np.int64]

#: Times calls back to back and calls what it is given before each of them.
Block = Callable[[Callable[[], object]], Nanoseconds]


class Quiet:
    """Tells quiet calls from others."""

    def __init__(self, limit: float, probe: Callable[[], object] | None = None, seed: int = 0) -> None:
        """`limit`: the core is quiet where the probe takes at most this many times its best.

        `probe` is for work of several threads, which stay where the system puts them. Without it the work is done by the thread that
        asks, which has the cores of the process to choose from.
        """
        self.limit, self._probe = limit, probe or self._product
        self._chooses = probe is None
        self.rng = np.random.default_rng(seed)
        self._left, self._right = (self.rng.random((_SIDE, _SIDE), dtype=np.float32) for _ in range(2))
        self._result = np.empty_like(self._left)
        self._looks: list[int] = []
        self._fastest: deque[int] = deque(maxlen=_SLOTS)
        self._slot_ends, self._best = 0, float("inf")
        self._home: list[int] = []
        self._cores: list[int] = []

    def timed(self, block: Block) -> tuple[Nanoseconds, npt.NDArray[np.bool_]]:
        """The times that `block` returns, on the core that is left alone or nearest to it, and which of its calls were; `(calls,)` each."""
        home = host.allowed_cores()
        if self._chooses and home != self._home:
            self._home, self._cores = home, host.fast_cores(Path("/"), home)
        try:
            self._choose_core()
            self._looks.clear()
            times = block(lambda: self._looks.append(self._look()))
            looks = np.array([*self._looks[-len(times) :], self._look()])
        finally:
            if self._chooses:
                _stay_on(home)
        self._remember(int(looks.min()))
        return times, np.maximum(looks[:-1], looks[1:]) <= self.limit * self._best

    def _choose_core(self) -> None:
        """Goes to the first core that is quiet, else to the best of them."""
        if len(self._cores) < 2:
            return
        found = []
        for core in self.rng.permutation(self._cores).tolist():
            _stay_on([core])
            self._look()
            found.append((self._look(), core))
            if found[-1][0] <= self.limit * self._best:
                return
        _stay_on([min(found)[1]])

    def _remember(self, look: int) -> None:
        if (now := time.perf_counter_ns()) >= self._slot_ends:
            self._fastest.append(look)
            self._slot_ends = now + _SLOT_NS
            self._best = float(np.quantile(self._fastest, _BEST))
        elif look < self._fastest[-1]:
            self._fastest[-1] = look
            self._best = min(self._best, look)

    def _look(self) -> int:
        """Nanoseconds of the probe, once its data is in the nearest cache again."""
        self._probe()
        start = time.perf_counter_ns()
        self._probe()
        return time.perf_counter_ns() - start

    def _product(self) -> None:
        np.dot(self._left, self._right, out=self._result)


def _stay_on(cores: Sequence[int]) -> None:
    """Keeps this thread, which does the work, on these cores, where the system lets it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
