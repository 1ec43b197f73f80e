from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from device_profiles.machine.pinning import Pinning, cores_for
from device_profiles.runtimes import RuntimeProcess


@pytest.fixture
def processor(tmp_path: Path) -> Callable[..., Path]:
    """Writes the cores of a processor: capacities or clocks, and which are hardware threads of one physical core."""

    def make(name: str, values: list[int], siblings: list[str] | None = None) -> Path:
        for core, value in enumerate(values):
            folder = tmp_path / f"sys/devices/system/cpu/cpu{core}"
            for file, content in ((name, value), ("topology/thread_siblings_list", (siblings or list(map(str, range(99))))[core])):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(f"{content}\n")
        return tmp_path

    return make


def test_cores_that_are_alike_are_left_alone(processor: Callable[..., Path]) -> None:
    # The turbo clock of one core is a little higher: still the same kind.
    root = processor("cpufreq/cpuinfo_max_freq", [5_000_000, 5_200_000, 5_000_000, 5_000_000])
    assert cores_for(root, 1, range(4), None) == ([], None)
    assert cores_for(root, 1, range(4), False) == ([], None)


def test_the_fast_kind_of_core_is_taken(processor: Callable[..., Path]) -> None:
    root = processor("cpu_capacity", [446, 446, 446, 446, 1024, 1024])
    cores, sentence = cores_for(root, 1, range(6), None)
    assert (cores, sentence) == ([5], "The runtime is pinned to core 5, which are among the 2 fastest of 6.")
    assert cores_for(root, 2, range(6), None)[0] == [4, 5]
    cores, sentence = cores_for(root, 3, range(6), None)
    assert (cores, sentence) == ([], "Not pinned: 3 threads, but 2 fast physical cores.")
    assert cores_for(root, 1, range(4), None) == ([], None)  # only slow cores may be used: they are alike


def test_threads_go_to_different_physical_cores(processor: Callable[..., Path]) -> None:
    root = processor("cpufreq/cpuinfo_max_freq", [3_000_000] * 4, ["0-1", "0-1", "2-3", "2-3"])
    assert cores_for(root, 2, range(4), True) == ([1, 3], "The runtime is pinned to cores 1, 3.")
    assert cores_for(root, 3, range(4), True) == ([], "Not pinned: 3 threads, but 2 physical cores.")


def test_a_processor_that_tells_nothing(tmp_path: Path) -> None:
    assert cores_for(tmp_path, 1, range(2), None) == ([], None)
    assert cores_for(tmp_path, 1, range(2), True) == ([1], "The runtime is pinned to core 1.")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_every_child_is_pinned_and_let_go_again(runtime: RuntimeProcess) -> None:
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    pinning = Pinning(runtime, [core])
    pinning.hold()
    first = runtime.usage()["pid"]
    assert os.sched_getaffinity(first) == {core}
    runtime.close()
    pinning.hold()
    second = runtime.usage()["pid"]
    assert second != first
    assert os.sched_getaffinity(second) == {core}
    pinning.release()
    assert os.sched_getaffinity(second) == allowed
    assert os.sched_getaffinity(0) == allowed
