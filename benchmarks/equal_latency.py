"""What several ways to a network offer at equal measured latency: the arithmetic of `whole_loop.py`, without a device."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Candidate:
    """A network that one way offers: its measured latency, the accuracy by which it is chosen and that by which it is judged."""

    latency_ms: float
    validation: float
    test: float


def offered(candidates: Sequence[Candidate], limit_ms: float) -> Candidate | None:
    """What a way offers within a limit: the best on the validation images of those fast enough; None where none is."""
    return max((c for c in candidates if c.latency_ms <= limit_ms), key=lambda c: c.validation, default=None)


def common_range(ways: Sequence[Sequence[Candidate]]) -> tuple[float, float]:
    """From the least latency at which every way offers something to the largest of all, in ms."""
    return max(min(c.latency_ms for c in way) for way in ways), max(c.latency_ms for way in ways for c in way)


def mean_gain(ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> float:
    """Test accuracy of what is offered, ours minus theirs, averaged over all limits of the common range, evenly by their logarithm.

    Between two latencies neither offer changes, so the mean is exact.
    """
    low, high = common_range((ours, theirs))
    limits = sorted({low, high, *(c.latency_ms for c in (*ours, *theirs) if low < c.latency_ms < high)})
    gains = [_test(ours, limit) - _test(theirs, limit) for limit in limits]
    if len(limits) == 1:
        return gains[0]
    widths = [math.log(after / before) for before, after in pairwise(limits)]
    return sum(gain * width for gain, width in zip(gains, widths, strict=False)) / math.log(high / low)


def speedup(ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> tuple[float | None, int, int]:
    """How many times faster ours are at equal accuracy: the median over what theirs offer, how many of those ours reach, and of how many.

    Equal is at least as good on the validation images. The median is None where none is reached.
    """
    steps = {offered(theirs, c.latency_ms) for c in theirs}
    found = []
    for step in steps:
        assert step is not None
        equal = [c.latency_ms for c in ours if c.validation >= step.validation]
        found += [step.latency_ms / min(equal)] if equal else []
    return (statistics.median(found) if found else None), len(found), len(steps)


def at_limits(ways: Mapping[str, Sequence[Candidate]], limits: Sequence[float]) -> list[dict[str, float | None]]:
    """A row per limit: the test accuracy of what every way offers."""
    rows: list[dict[str, float | None]] = []
    for limit in limits:
        best = {name: offered(way, limit) for name, way in ways.items()}
        rows.append({"limit_ms": limit, **{name: None if c is None else c.test for name, c in best.items()}})
    return rows


def grid(ranges: Sequence[tuple[float, float]], number: int = 5) -> list[float]:
    """Limits from the largest beginning of several ranges to the least end, evenly by their logarithm; one where they do not overlap."""
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    return [low * (high / low) ** (i / (number - 1)) for i in range(number)] if high > low else [low]


def _test(candidates: Sequence[Candidate], limit_ms: float) -> float:
    found = offered(candidates, limit_ms)
    assert found is not None
    return found.test
