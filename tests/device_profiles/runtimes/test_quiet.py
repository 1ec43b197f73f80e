"""Blocks begin and end in quiet moments, as long as waiting for them is worth it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from device_profiles.graphs import models
from device_profiles.operators import Network
from device_profiles.runtimes import RuntimeProcess
from device_profiles.runtimes import quiet as module
from device_profiles.runtimes.quiet import Quiet


class Scripted(Quiet):
    """Looks are given, in microseconds."""

    def __init__(self, looks: Iterable[float], limit: float = 1.1) -> None:
        super().__init__(limit)
        self.script: Iterator[float] = iter(looks)
        self.cores: list[set[int]] = []

    def _look(self) -> int:
        self.cores.append(os.sched_getaffinity(0))
        return int(1000 * next(self.script))


class Blocks:
    """Counts how often it was asked for; a block takes a millisecond."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> np.ndarray:
        self.number += 1
        time.sleep(1e-3)
        return np.array([self.number])


def test_a_quiet_block_is_taken_at_once() -> None:
    blocks = Blocks()
    quiet = Scripted([10, 10, 10.5, 10.9])
    assert [quiet.timed(blocks).tolist() for _ in range(2)] == [[1], [2]]


def test_a_block_waits_until_the_core_is_left_alone() -> None:
    blocks, quiet = Blocks(), Scripted([10, 10, 17, 16, 10.2, 10.3])
    quiet.timed(blocks)
    assert quiet.timed(blocks).tolist() == [2]
    assert next(quiet.script, None) is None


def test_a_block_that_was_disturbed_is_taken_again() -> None:
    quiet = Scripted([10, 10, 10, 17, 10, 10])
    blocks = Blocks()
    quiet.timed(blocks)
    assert quiet.timed(blocks).tolist() == [3]


def test_waiting_takes_its_share_of_the_time_and_no_more() -> None:
    quiet, blocks = Scripted(itertools.chain([10], itertools.repeat(17))), Blocks()
    start = time.perf_counter()
    for _ in range(150):
        quiet.timed(blocks)
    assert blocks.number > 150  # some were thrown away
    assert quiet._waited / 1e9 <= 2 / 3 * (time.perf_counter() - start) + 0.1


def test_patience_for_one_block_ends_however_much_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked for a block takes a child for hung that does not answer for long."""
    monkeypatch.setattr(module, "_MOST_NS", 20_000_000)
    quiet, blocks = Scripted(itertools.chain([10, 10], itertools.repeat(17, 1_000_000))), Blocks()
    quiet.timed(blocks)
    quiet._taken = 3_600_000_000_000  # an hour of blocks that nobody disturbed
    quiet.timed(blocks)
    assert blocks.number == 2
    assert next(quiet.script, None) is not None


def test_idle_time_buys_no_patience() -> None:
    quiet, blocks = Scripted(itertools.chain([10, 10], itertools.repeat(17, 1_000_000))), Blocks()
    quiet.timed(blocks)
    before = quiet._taken
    time.sleep(0.3)
    quiet.timed(blocks)
    assert quiet._waited <= 2 / 3 * quiet._taken + 0.1e9 + 0.05e9  # and what the last look and block took
    assert before < 0.3e9


def test_what_is_best_follows_a_device_that_got_slower_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOT_NS", 0)  # every look counts as if the last one were long ago
    quiet = Scripted(itertools.chain([10] * 20, itertools.repeat(17)))
    quiet.timed(Blocks())
    states = [quiet._is_quiet() for _ in range(5000)]
    assert not any(states[20:1000])
    assert all(states[-500:])


def test_it_looks_on_single_cores_and_goes_home() -> None:
    home = os.sched_getaffinity(0)
    quiet = Scripted([10, 10] + [17] * len(home) + [10, 10])
    quiet.timed(Blocks())
    quiet.timed(Blocks())
    assert all(len(cores) == 1 for cores in quiet.cores)
    assert os.sched_getaffinity(0) == home


def test_it_goes_home_when_a_block_fails() -> None:
    home = os.sched_getaffinity(0)

    def block() -> np.ndarray:
        raise RuntimeError("kernel died")

    with pytest.raises(RuntimeError):
        Scripted([10]).timed(block)
    assert os.sched_getaffinity(0) == home


def test_the_probe_takes_some_microseconds_and_tells_work_beside_it() -> None:
    quiet = Quiet(1.1)
    looks = [quiet._look() for _ in range(200)]
    assert 1e3 < np.median(looks) < 1e8


def test_a_runtime_waits_for_quiet_moments(runtime: RuntimeProcess, network: Network) -> None:
    handle = runtime.load(models.network_model(network), isolated=False)
    times = runtime.time(handle, warmup=1, block_ns=1_000_000, min_calls=3, max_calls=50, quiet=1.1)
    assert len(times) >= 3
    assert (times > 0).all()
    runtime.unload(handle)
