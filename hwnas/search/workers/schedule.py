"""Which architecture is evaluated where and when: in order, a device for one timing at a time, and nothing longer than it may take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from hwnas.objectives import HERE
from hwnas.search.estimate import Triple
from hwnas.search.workers.base import Answer, Workers, now
from hwnas.spaces.base import Archs


@dataclass(eq=False)
class Job:
    """One architecture, `(n_choices,)`, on its way through its expensive objectives.

    `left`: the numbers of those still to be computed, in order; the first failure ends it. `started` (UTC) is when the first of them began,
    empty where there was none.
    """

    number: int
    arch: Archs
    estimates: list[Triple | None]
    error: str | None
    left: list[int]
    seconds: float
    started: str = ""

    def learn(self, answer: Answer) -> None:
        """Keep what came of the first objective that was left."""
        self.estimates[self.left.pop(0)] = answer.triple
        self.error = answer.error
        self.left = [] if answer.error else self.left
        self.seconds += answer.seconds
        self.started = self.started or answer.started


class _Begun(NamedTuple):
    """A job that is being worked on: since when (UTC), and by the clock of `perf_counter`."""

    job: Job
    started: str
    clock: float


class Schedule:
    """Jobs, iterated over as they are finished; those with nothing left to compute in their place in the order.

    Jobs begin in order, and one that has begun goes before the next. While an objective is timed on a device no other is timed on that one;
    one that is timed on `HERE` waits until nothing else is computed, nothing overtakes it, and nothing begins beside it.
    """

    def __init__(self, jobs: Sequence[Job], workers: Workers) -> None:
        self.workers = workers
        self._waiting = deque(jobs)
        self._running: dict[int, _Begun] = {}

    def __iter__(self) -> Iterator[Job]:
        while self._waiting or self._running:
            while self._waiting and not self._waiting[0].left:
                yield self._waiting.popleft()
            self._begin()
            for place, answer in self._answers():
                job = self._running.pop(place).job
                job.learn(answer)
                if job.left:
                    self._waiting.appendleft(job)
                else:
                    yield job

    def _begin(self) -> None:
        """Give work to every place that has none, as far as devices allow."""
        for place in range(self.workers.size):
            if place not in self._running and (job := self._next()) is not None:
                self._waiting.remove(job)
                self.workers.start(place, job.left[0], job.arch[None])
                self._running[place] = _Begun(job, now(), perf_counter())

    def _next(self) -> Job | None:
        busy = {self._device(begun.job) for begun in self._running.values()} - {None}
        for job in self._waiting if HERE not in busy else ():
            device = self._device(job)
            if device == HERE and self._running:
                return None
            if job.left and device not in busy:
                return job
        return None

    def _device(self, job: Job) -> str | None:
        """Where the next objective of a job is timed."""
        return self.workers.objectives[job.left[0]].timed_on if job.left else None

    def _answers(self) -> list[tuple[int, Answer]]:
        """What has come; what takes too long is stopped and counts as failed."""
        if not self._running:
            return []
        limit = self.workers.timeout_s
        if limit is None:
            return [(place, self._answer(place, came)) for place, came in self.workers.wait(None)]
        first = min(begun.clock for begun in self._running.values())
        found = [(place, self._answer(place, came)) for place, came in self.workers.wait(max(first + limit - perf_counter(), 0.0))]
        for place in sorted(self._running.keys() - {place for place, _ in found}):
            if perf_counter() - self._running[place].clock >= limit:
                self.workers.stop(place)
                found.append((place, self._answer(place, f"no answer within {limit:g} s")))
        return found

    def _answer(self, place: int, came: Answer | str) -> Answer:
        """What came, or the answer that says why nothing did."""
        if isinstance(came, Answer):
            return came
        job, started, clock = self._running[place]
        return Answer(None, f"{self.workers.objectives[job.left[0]].name}: {came}", started, perf_counter() - clock)
