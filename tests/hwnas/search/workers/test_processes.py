"""Workers in forked processes: the checks of every kind of worker, and that none of them outlives the search."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.run import Run
from hwnas.search.workers import Here, make_workers
from hwnas.search.workers.processes import Processes

checks = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "checks.py")))
toy = checks.toy
ARCHS = checks.SPACE.sample(3, np.random.default_rng(0))


@pytest.mark.parametrize("check", sorted(checks.CHECKS))
@pytest.mark.parametrize("workers", [2, 3])
def test_like_every_kind(check, workers, tmp_path):
    checks.CHECKS[check](tmp_path, {"workers": workers})


def test_one_worker_is_this_process_unless_it_may_be_stopped():
    assert isinstance(make_workers(checks.PAIR), Here)
    assert isinstance(make_workers(checks.PAIR, 1, 5.0), Processes)


def test_a_time_limit_holds_for_one_worker_too(tmp_path):
    checks.CHECKS["check_what_takes_too_long_is_stopped"](tmp_path, {"workers": 1})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workers": 0}, "workers is a whole number of at least 1, got 0"),
        ({"workers": True}, "got True"),
        ({"workers": 2.0}, "got 2.0"),
        ({"timeout_s": 0}, "timeout_s is a positive number of seconds, got 0"),
        ({"timeout_s": float("nan")}, "got nan"),
    ],
)
def test_wrong_numbers_are_refused_before_anything_is_written(given, message, tmp_path):
    with pytest.raises(InputError, match=message):
        checks.run_of(tmp_path / "run", given)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_forked_for_cheap_objectives(tmp_path, monkeypatch):
    monkeypatch.setattr(Processes, "_fork", lambda *_: pytest.fail("forked"))
    assert len(checks.run_of(tmp_path, {"workers": 4}, (toy.cost(),)).evaluations()) == 24


def test_a_child_that_died_while_idle_is_replaced():
    with Processes(checks.PAIR, 1) as workers:
        workers.start(0, 0, ARCHS[:1])
        ((_, first),) = workers.wait(None)
        child = workers._children[0].process
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        workers.start(0, 0, ARCHS[:1])
        ((_, second),) = workers.wait(None)
        assert first.triple == second.triple == (toy.accuracy(ARCHS)[0],) * 3
        assert workers._children[0].process.pid != child.pid


def test_what_an_evaluation_started_ends_with_it(tmp_path):
    def parent(archs):
        child = subprocess.Popen(["sleep", "600"])
        (tmp_path / "child").write_text(str(child.pid))
        time.sleep(600)

    with Processes((toy.score(parent),), 1) as workers:
        workers.start(0, 0, ARCHS[:1])
        checks.wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
        workers.stop(0)
    checks.wait_until(lambda: checks.gone(int((tmp_path / "child").read_text())))


def test_weights_are_scored_in_a_fork_as_here(tmp_path):
    torch = pytest.importorskip("torch")
    from hwnas import data, search
    from hwnas.accuracy import SupernetAccuracy
    from hwnas.spaces import MobileNetSpace, Stage
    from hwnas.torch_tools import threads

    space = MobileNetSpace((Stage((8, 12), (1, 2), (3, 5), (2, 3), 1),), 10, 1, 8, stem=8, head=16)
    score = SupernetAccuracy(space.supernet(), data.load("digits"))
    with threads(2):
        torch.rand(600, 600) @ torch.rand(600, 600)  # starts threads, which a fork does not take along
        one = search(space, [score], algorithm="random", evaluations=8, seed=0, out=tmp_path / "one")
        two = search(space, [score], algorithm="random", evaluations=8, seed=0, out=tmp_path / "two", workers=2, timeout_s=60.0)
    assert toy.table(one) == toy.table(two)
    assert two.counts()["ok"] == 8


def test_what_an_objective_prints_is_not_lost(capfd):
    with Processes((toy.score(lambda archs: print("printed") or toy.accuracy(archs)),), 1) as workers:
        workers.start(0, 0, ARCHS[:1])
        workers.wait(None)
        checks.wait_until(lambda: "printed" in capfd.readouterr().out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_search(number, tmp_path):
    code, error = checks.stopped(tmp_path, {"workers": 3}, number)
    assert code == -number, error
    run = Run.open(tmp_path / "run")
    assert run.spec["stopped"] is None
    assert len(checks.run_of(run.path, {"workers": 2}, resume=True).evaluations()) == 24
