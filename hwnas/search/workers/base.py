"""Who computes expensive objectives: places that each compute one number of one architecture at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import gmtime, perf_counter, strftime
from typing import NamedTuple, Self

from hwnas.objectives import Objective
from hwnas.search.estimate import Triple, judged
from hwnas.spaces.base import Archs


class Answer(NamedTuple):
    """What came of one objective of one architecture: (value, low, high), or None and why; when it began (UTC), and seconds."""

    triple: Triple | None
    error: str | None
    started: str
    seconds: float


class Workers(ABC):
    """Places, numbered from 0 to `size` - 1. A context manager: nothing that it started outlives it.

    What an objective says must depend on the architecture alone: which place computes it, and what that has computed before, is left open.
    `timeout_s` is how long one objective of one architecture may take; None: as long as it takes.
    """

    def __init__(self, objectives: Sequence[Objective], size: int, timeout_s: float | None = None) -> None:
        self.objectives, self.size, self.timeout_s = objectives, size, timeout_s

    @abstractmethod
    def start(self, place: int, objective: int, arch: Archs) -> None:
        """Begin to compute an objective, by its number, of an architecture `(1, n_choices)`, at a place that does nothing."""

    @abstractmethod
    def wait(self, seconds: float | None) -> list[tuple[int, Answer | str]]:
        """What has come, with its place: answers, or why there will be none. Something, unless `seconds` pass before."""

    @abstractmethod
    def stop(self, place: int) -> None:
        """End what a place does; no answer comes."""

    @abstractmethod
    def close(self) -> None:
        """End everything, whatever it does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Here(Workers):
    """One place: the process of the search itself. What it computes cannot be stopped, and takes the search along when it crashes."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        super().__init__(objectives, 1)
        self._asked: tuple[int, Archs] | None = None

    def start(self, place: int, objective: int, arch: Archs) -> None:
        """Keep it until it is waited for."""
        self._asked = objective, arch

    def wait(self, seconds: float | None) -> list[tuple[int, Answer | str]]:
        """Compute what was asked for, however long it takes."""
        asked, self._asked = self._asked, None
        return [] if asked is None else [(0, compute(self.objectives[asked[0]], asked[1]))]

    def stop(self, place: int) -> None:
        """Forget what was not begun."""
        self._asked = None

    def close(self) -> None:
        """There is nothing to end."""


def compute(objective: Objective, arch: Archs) -> Answer:
    """One objective of one architecture, `(1, n_choices)`, in this process."""
    started, clock = now(), perf_counter()
    ((triple, error),) = judged(objective, arch)
    return Answer(triple, error, started, perf_counter() - clock)


def now() -> str:
    """The time as rows hold it, in UTC."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
