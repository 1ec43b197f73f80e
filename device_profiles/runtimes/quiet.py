"""Waiting for a moment in which the core is left alone; what a neighbour has disturbed is timed again.

On a shared machine the sibling thread of a core may belong to somebody else, whose work makes everything on the core 1.3 to 2 times as
slow, for milliseconds or for seconds. A probe, a small product of matrices, tells within some tens of microseconds how it is now.
A block is begun on a core whose probe is near its best, and kept when the probe still is after it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device_profiles.machine import host

#: Side of the matrices of the probe: some 15 microseconds of arithmetic on a desktop core, out of its nearest caches.
_SIDE = 96

#: Runs of the probe per look, after one to warm up.
_RUNS = 3

#: The fastest look of every slot of time is remembered, for so many slots (some three minutes), and the best is what this share of them
#: reach: a device that got slower for good is taken as it is after that, a neighbour who stays for a minute is not.
_SLOT_NS, _SLOTS, _BEST = 50_000_000, 4096, 0.01

#: At most this share of the time is spent on waiting and on blocks that are thrown away, after a first grace; and at most so long for one
#: block: whoever asked for it must not take it for hung.
_SHARE, _GRACE_NS, _MOST_NS = 2 / 3, 100_000_000, 2_000_000_000

Nanoseconds = npt.NDArray[np.int64]


class Quiet:
    """Finds quiet moments for work that runs on the calling thread alone."""

    def __init__(self, limit: float, seed: int = 0) -> None:
        """`limit`: the core is quiet where the probe takes at most this many times its best."""
        self.limit = limit
        self.rng = np.random.default_rng(seed)
        self._left, self._right = (self.rng.random((_SIDE, _SIDE), dtype=np.float32) for _ in range(2))
        self._result = np.empty_like(self._left)
        self._fastest: deque[int] = deque(maxlen=_SLOTS)
        self._slot_ends, self._best = 0, float("inf")
        self._taken = self._waited = 0
        self._home: list[int] = []
        self._cores: list[int] = []

    def timed(self, block: Callable[[], Nanoseconds]) -> Nanoseconds:
        """What `block` returns when it ran in a quiet moment, or when patience is at its end."""
        home = host.allowed_cores()
        if home != self._home:
            self._home, self._cores = home, host.fast_cores(Path("/"), home)
        start = begun = time.perf_counter_ns()
        try:
            while True:
                self._wait(start)
                begun = time.perf_counter_ns()
                times = block()
                if self._is_quiet() or not self._patient(start):
                    return times
        finally:
            _stay_on(home)
            self._waited += begun - start
            self._taken += time.perf_counter_ns() - start

    def _wait(self, start: int) -> None:
        """Returns on a core that is quiet now, or on any when patience is at its end."""
        while True:
            for core in self.rng.permutation(self._cores):
                _stay_on([int(core)])
                if self._is_quiet():
                    return
            if not self._patient(start):
                return

    def _patient(self, start: int) -> bool:
        """Whether waiting since `start` is within its share of the time that all blocks took, with their waiting, and not too long."""
        waiting = time.perf_counter_ns() - start
        return waiting < _MOST_NS and self._waited + waiting < _GRACE_NS + _SHARE * (self._taken + waiting)

    def _is_quiet(self) -> bool:
        look = self._look()
        if (now := time.perf_counter_ns()) >= self._slot_ends:
            self._fastest.append(look)
            self._slot_ends = now + _SLOT_NS
            self._best = float(np.quantile(self._fastest, _BEST))
        elif look < self._fastest[-1]:
            self._fastest[-1] = look
            self._best = min(self._best, look)
        return look <= self.limit * self._best

    def _look(self) -> int:
        """Nanoseconds of the fastest of some probes."""
        fastest = 1 << 62
        for run in range(_RUNS + 1):
            start = time.perf_counter_ns()
            np.dot(self._left, self._right, out=self._result)
            if run:
                fastest = min(fastest, time.perf_counter_ns() - start)
        return fastest


def _stay_on(cores: Iterable[int]) -> None:
    """Keeps the calling thread on these cores, where the system lets it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
