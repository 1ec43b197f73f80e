"""Calls between two fast probes are told apart from those beside which a neighbour worked."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device_profiles.graphs import models
from device_profiles.operators import Network
from device_profiles.runtimes import RuntimeProcess, base, catalogue
from device_profiles.runtimes import quiet as module
from device_profiles.runtimes.quiet import Quiet


class Scripted(Quiet):
    """Looks are given, in microseconds; on one core nobody looks for a better one."""

    def __init__(self, looks: Iterable[float], limit: float = 1.3, cores: int = 1) -> None:
        super().__init__(limit)
        self.script: Iterator[float] = iter(looks)
        self.places: list[set[int]] = []
        self._home, self._cores = module.host.allowed_cores(), module.host.allowed_cores()[:cores]

    def _look(self) -> int:
        self.places.append(os.sched_getaffinity(0))
        return int(1000 * next(self.script))


def calls(count: int, warmup: int = 0) -> Callable[[Callable[[], object]], np.ndarray]:
    """A block of so many calls."""

    def block(before: Callable[[], object]) -> np.ndarray:
        return base.time_calls(lambda: None, warmup, 0, count, count, before)

    return block


def test_a_call_is_quiet_between_two_fast_probes() -> None:
    times, quiet = Scripted([1.0, 1.2, 1.0, 2.0, 1.0, 1.1, 1.29]).timed(calls(6))
    assert len(times) == 6
    assert quiet.tolist() == [True, True, False, False, True, True]


def test_probes_of_warm_up_calls_do_not_count() -> None:
    assert Scripted([9, 9, 1, 1, 1]).timed(calls(2, warmup=2))[1].tolist() == [True, True]


def test_the_best_is_remembered_from_block_to_block() -> None:
    quiet = Scripted([1, 1, 1, *[1.5] * 4])
    assert quiet.timed(calls(2))[1].all()
    assert not quiet.timed(calls(3))[1].any()


def test_what_is_best_follows_a_device_that_got_slower_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOT_NS", 0)  # every look counts as if the last one were long ago
    quiet = Scripted(itertools.chain([1.0] * 40, itertools.repeat(1.7)))
    states = [quiet.timed(calls(1))[1].all() for _ in range(5000)]
    assert all(states[:10])
    assert not any(states[30:300])
    assert all(states[-500:])


@pytest.mark.skipif(len(module.host.allowed_cores()) < 2, reason="one core")
def test_the_first_quiet_core_is_taken_and_else_the_best() -> None:
    home = os.sched_getaffinity(0)
    quiet = Scripted([9, 1, 1, 1], cores=2)
    quiet._best = 1000.0
    quiet.timed(calls(1))
    assert quiet.places[0] == quiet.places[-1]  # quiet at once
    busy = Scripted([9, 3, 9, 2, 1, 1], cores=2)
    busy._best = 1000.0
    busy.timed(calls(1))
    assert busy.places[-1] == busy.places[3] != busy.places[0]
    assert os.sched_getaffinity(0) == home


def test_it_goes_home_when_a_block_fails() -> None:
    home = os.sched_getaffinity(0)

    def block(before: Callable[[], object]) -> np.ndarray:
        before()
        raise RuntimeError("kernel died")

    with pytest.raises(RuntimeError):
        Quiet(1.3).timed(block)
    assert os.sched_getaffinity(0) == home


def test_the_probe_takes_microseconds() -> None:
    quiet = Quiet(1.3)
    assert 100 < np.median([quiet._look() for _ in range(200)]) < 1e7


def test_a_runtime_says_which_calls_were_quiet(runtime: RuntimeProcess, network: Network) -> None:
    handle = runtime.load(models.network_model(network), isolated=False)
    times, quiet = runtime.block(handle, warmup=1, block_ns=1_000_000, min_calls=3, max_calls=50, quiet=1.3)
    assert quiet is not None
    assert len(times) == len(quiet) >= 3
    assert (times > 0).all()
    assert runtime.block(handle, warmup=1, block_ns=0, min_calls=3, max_calls=3, quiet=0.0)[1] is None
    runtime.unload(handle)


def test_a_probe_of_several_threads_is_what_is_timed() -> None:
    home, ran = os.sched_getaffinity(0), []
    quiet = Quiet(1.3, lambda: ran.append(os.sched_getaffinity(0)))
    times, _ = quiet.timed(calls(3))
    assert len(times) == 3
    assert len(ran) == 8  # twice before every call and twice at the end
    assert all(cores == home for cores in ran)


def test_several_threads_are_probed_by_the_runtime_itself(network: Network) -> None:
    with RuntimeProcess("onnxruntime", 2) as process:
        assert process.fingerprint()["settings"] == {"threads_kept": "in one pool"}
        handle = process.load(models.network_model(network), isolated=False)
        times, quiet = process.block(handle, warmup=0, block_ns=0, min_calls=2, max_calls=2, quiet=1.3)
        assert quiet is not None
        assert len(times) == len(quiet) == 2


def test_threads_that_cannot_be_shared_sleep_between_calls(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    monkeypatch.delattr("onnxruntime.set_global_thread_pool_sizes")  # as in older versions
    older = catalogue.create("onnxruntime", 2)
    assert older.fingerprint()["settings"] == {"threads_kept": "asleep between calls"}
    assert older.probe() is None
    assert len(older.load(models.network_model(network), isolated=False).time(1, 0, 3, 3)) == 3


def test_nobody_can_tell_where_several_threads_of_another_runtime_compute(network: Network) -> None:
    with RuntimeProcess("torch", 2) as process:
        handle = process.load(models.network_model(network), isolated=False)
        assert process.block(handle, warmup=0, block_ns=0, min_calls=2, max_calls=2, quiet=1.3)[1] is None


def processor_s(pid: int) -> dict[str, float]:
    """Seconds of processor time of every thread of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        found[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not tell the times of threads")
@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("name", sorted(catalogue.ON_ONE_CORE - catalogue.COMPILING))
def test_one_thread_computes_where_it_is_called(name: str, isolated: bool, network: Network) -> None:
    pytest.importorskip(name)
    with RuntimeProcess(name, 1) as process:
        handle = process.load(models.network_model(network), isolated=isolated)
        pid = int(process.usage()["pid"])
        before = processor_s(pid)
        process.time(handle, warmup=1, block_ns=400_000_000, min_calls=1, max_calls=1_000_000)
        spent = {thread: seconds - before.get(thread, 0.0) for thread, seconds in processor_s(pid).items()}
    assert spent[str(pid)] > 0.05
    assert sum(spent.values()) < 1.2 * spent[str(pid)]
