"""What a search may take: evaluations, seconds, or both."""

from __future__ import annotations

import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from device_profiles.errors import InputError
from hwnas.run import Run
from hwnas.search import search
from hwnas.search.budget import Budget, checked, limits, unfinished

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()


def slow(archs):
    time.sleep(0.02)
    return toy.accuracy(archs)


def go(out, accuracy=slow, **more):
    return search(SPACE, (toy.score(accuracy), toy.cost()), (), "random", seed=0, out=out, **more)


@pytest.mark.parametrize(
    ("given", "limited"),
    [((None, None), (200, None)), ((30, None), (30, None)), ((None, 60), (None, 60.0)), ((30, 1.5), (30, 1.5))],
)
def test_what_is_not_said_is_not_limited(given, limited):
    assert checked(*given) == limited


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan"), True, "60"])
def test_what_is_no_time_is_refused(seconds):
    with pytest.raises(InputError, match="budget_s is a number of seconds above 0, got"):
        checked(None, seconds)


def test_the_share_is_of_what_is_spent_first():
    assert Budget(100, None).share(25) == 0.25
    assert Budget(100, 10.0, before_s=5.0).share(25) == pytest.approx(0.5, abs=0.01)
    assert Budget(None, 10.0, before_s=20.0).share(25) == 1.0


def test_time_ends_a_search_and_more_time_goes_on(tmp_path):
    seen = []
    run = go(tmp_path / "run", budget_s=0.5, progress=seen.append)
    rows = toy.table(run)
    assert 0 < len(rows) <= 25  # 0.02 s each, and no more than 0.5 s
    assert run.spec["stopped"] == f"budget: 0.5 s, {len(rows)} evaluations"
    assert (run.spec["evaluations"], run.spec["budget_s"]) == (None, 0.5)
    assert run.spec["spent_s"] >= 0.5
    assert seen[-1].total is None
    assert [p.share for p in seen] == sorted(p.share for p in seen)
    assert toy.table(go(tmp_path / "run", budget_s=0.5, resume=True)) == rows  # it is spent
    longer = toy.table(go(tmp_path / "run", budget_s=60.0, evaluations=60, resume=True))
    assert len(longer) == 60
    assert longer == toy.table(go(tmp_path / "whole", toy.accuracy, evaluations=60))


def test_what_is_spent_first_ends_a_search(tmp_path):
    assert go(tmp_path / "few", evaluations=3, budget_s=60.0).spec["stopped"] == "budget: 3 evaluations"
    assert go(tmp_path / "short", evaluations=10_000, budget_s=0.1).spec["stopped"].startswith("budget: 0.1 s, ")


def test_a_time_too_short_for_one_evaluation_is_said_and_can_be_resumed(tmp_path):
    with pytest.raises(InputError, match="1e-09 s were over before the first evaluation: give it more time and resume"):
        go(tmp_path, budget_s=1e-9)
    assert len(toy.table(go(tmp_path, evaluations=5, resume=True))) == 5


def test_a_killed_search_knows_what_it_has_spent(tmp_path):
    def dying(archs):
        time.sleep(0.6)
        if len(Run.open(tmp_path).rows()) == 3:
            raise KeyboardInterrupt
        return toy.accuracy(archs)

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, dying, budget_s=3.0)
    assert Run.open(tmp_path).spec["spent_s"] >= 1.0
    assert "spent_s" in go(tmp_path, budget_s=3.0, resume=True).spec


def test_fewer_evaluations_than_there_are_are_refused(tmp_path):
    done = len(toy.table(go(tmp_path, budget_s=0.3)))
    assert done > 1
    with pytest.raises(InputError, match=f"was made for {done} evaluations, not 1: their number may only grow"):
        go(tmp_path, evaluations=1, resume=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_time_is_up_within_a_batch(tmp_path, workers):
    run = go(tmp_path, budget_s=0.3, workers=workers)
    counts = run.counts()
    assert counts["failed"] == 0
    assert 0 < counts["ok"] < SPACE.size


def test_limits_in_words():
    assert limits({"evaluations": 1500, "budget_s": None}) == "1,500 evaluations"
    assert limits({"evaluations": None, "budget_s": 90.0}) == "90 s"
    assert limits({"evaluations": 10, "budget_s": 600.0}) == "10 evaluations or 10 min"
    assert limits({}) == ""
    assert unfinished({"evaluations": 200, "stopped": None}, 30) == "30 of 200 evaluations"
    assert unfinished({"evaluations": None, "budget_s": 600.0}, 1) == "1 evaluations within a limit of 10 min"
    assert unfinished({"evaluations": 200, "stopped": "budget: 200 evaluations"}, 200) == ""
    assert unfinished({"evaluations": 20}, 20) == ""
