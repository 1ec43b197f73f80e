"""Which cores the runtime's process may use.

Not pinned by default: a pinned process cannot leave a core that a neighbour wants, while the protocol looks for a core that is left alone
before every block anyway (see `runtimes.quiet`). The exception are processors with cores of different
speeds: there an unpinned process is measured now on one kind and now on another, and the fastest kind is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from device_profiles.machine import host
from device_profiles.runtimes.process import RuntimeProcess


class Pinning:
    """Keeps every child of a runtime on chosen cores; empty `cores` leave it alone."""

    def __init__(self, runtime: RuntimeProcess, cores: Iterable[int]) -> None:
        self.runtime, self.cores = runtime, frozenset(cores)
        self._generation: int | None = None

    def hold(self) -> None:
        """Pins the child that there is now, starting it if necessary; does nothing for a child that is pinned already."""
        if self.cores and self._generation != self.runtime.generation:
            _pin(int(self.runtime.usage()["pid"]), self.cores)
            self._generation = self.runtime.generation

    def release(self) -> None:
        """Lets the child use all cores again."""
        if self.cores and self._generation == self.runtime.generation:
            _pin(int(self.runtime.usage()["pid"]), host.allowed_cores())
        self._generation = None


def _pin(pid: int, cores: Iterable[int]) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread may end meanwhile
            os.sched_setaffinity(int(task.name), cores)


def cores_for(root: Path, threads: int, allowed: Iterable[int], pin: bool | None) -> tuple[list[int], str | None]:
    """The cores for a number of threads, one per physical core, and a sentence about them.

    `pin` None pins only where cores differ in speed; True wherever there are enough cores, False nowhere. The last cores come first: the
    first one often serves the interrupts. Without enough cores of one kind nothing is pinned.
    """
    usable = list(allowed)
    fast = host.fast_cores(root, usable)[::-1]
    if pin is False or (pin is None and len(fast) == len(usable)):
        return [], None
    physical = list({host.siblings(root, core): core for core in reversed(fast)}.values())[::-1]
    if threads > len(physical):
        return [], f"Not pinned: {threads} threads, but {len(physical)} {'fast ' if len(fast) < len(usable) else ''}physical cores."
    chosen = sorted(physical[:threads])
    why = f", which are among the {len(fast)} fastest of {len(usable)}" if len(fast) < len(usable) else ""
    return chosen, f"The runtime is pinned to core{'s' if threads > 1 else ''} {', '.join(map(str, chosen))}{why}."
