"""Places that are forked child processes: what crashes, hangs or takes too much memory in one of them is one failed evaluation."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.objectives import Objective
from hwnas.search.workers.base import Answer, Workers, compute
from hwnas.spaces.base import Archs


@dataclass
class _Child:
    """A child, this end of the pipe to it, and whether it owes an answer."""

    process: ForkProcess
    pipe: Connection
    busy: bool = False

    def end(self) -> str:
        """Kill it with all that it started, and wait until it is gone; returns what it died of."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):  # it has not made its group yet
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.pipe.close()
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return "its process was killed by SIGKILL, as the kernel does when memory runs out"
        return f"its process was killed by {signal.Signals(-code).name}" if code < 0 else f"its process ended with exit status {code}"


class Processes(Workers):
    """As many children as places, each forked when it is first needed, and forked anew after one that died or was stopped.

    A fork takes the objectives along as they are, closures and loaded weights included. Numbers travel as JSON, which keeps every bit of
    a float. torch computes with one thread in every child.
    """

    def __init__(self, objectives: Sequence[Objective], size: int, timeout_s: float | None = None) -> None:
        super().__init__(objectives, size, timeout_s)
        self._children: dict[int, _Child] = {}

    def start(self, place: int, objective: int, arch: Archs) -> None:
        """Send it to the child of that place; one that died while it had nothing to do is replaced."""
        request = json.dumps([objective, arch.tolist()]).encode()
        child = self._children.get(place) or self._fork(place)
        try:
            child.pipe.send_bytes(request)
        except OSError:
            self.stop(place)
            child = self._fork(place)
            child.pipe.send_bytes(request)
        child.busy = True

    def wait(self, seconds: float | None) -> list[tuple[int, Answer | str]]:
        """What children have answered, or died of."""
        busy: dict[Any, int] = {child.pipe: place for place, child in self._children.items() if child.busy}
        return [(busy[pipe], self._receive(busy[pipe])) for pipe in wait_for(list(busy), seconds)]

    def stop(self, place: int) -> None:
        """Kill the child of that place."""
        self._children.pop(place).end()

    def close(self) -> None:
        """Kill all children; none is asked first, for a result that nobody waits for is worth nothing."""
        while self._children:
            self.stop(next(iter(self._children)))

    def _fork(self, place: int) -> _Child:
        fork = multiprocessing.get_context("fork")
        mine, theirs = fork.Pipe()
        inherited = [child.pipe for child in self._children.values()] + [mine]
        process = fork.Process(target=_serve, args=(theirs, inherited, self.objectives, os.getpid()))
        process.start()
        theirs.close()
        child = self._children[place] = _Child(process, mine)
        return child

    def _receive(self, place: int) -> Answer | str:
        child = self._children[place]
        child.busy = False
        try:
            triple, *rest = json.loads(child.pipe.recv_bytes())
        except (EOFError, OSError):
            return self._children.pop(place).end()
        return Answer(None if triple is None else (triple[0], triple[1], triple[2]), *rest)


def _serve(pipe: Connection, inherited: Sequence[Connection], objectives: Sequence[Objective], parent: int) -> None:
    """The child: answers until the pipe closes."""
    os.setsid()  # a group of its own, so that all it starts can be killed with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A progress bar may stand in their place, with locks of a thread that is not here.
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    for other in inherited:
        other.close()
    _go_with(parent)
    with suppress(OSError):  # where memory runs out, this process is to go and not the search
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    torch: Any = sys.modules.get("torch")
    if torch is not None:  # threads that the parent had are not there after a fork, and waiting for them never ends
        torch.set_num_threads(1)
    with suppress(EOFError, OSError):
        while True:
            objective, arch = json.loads(pipe.recv_bytes())
            pipe.send_bytes(json.dumps(compute(objectives[objective], np.array(arch, dtype=np.int64))).encode())
            print(end="", flush=True)  # what an objective has printed would be lost at a kill


def _go_with(parent: int) -> None:
    """Die when the parent does, however that ends, where the kernel offers it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
