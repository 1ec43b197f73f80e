"""The driver: what it refuses, what it stores, how it ends, and what it replays."""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import DeviceError, InputError
from hwnas.run import Run
from hwnas.search import ALGORITHMS, Optimiser, search
from hwnas.search.loop import BARREN

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
PAIR = (toy.score(), toy.cost())
GENERAL = [name for name, kind in ALGORITHMS.items() if kind.general]


def go(out, objectives=PAIR, constraints=(), algorithm="random", evaluations=30, seed=0, **more):
    return search(SPACE, objectives, constraints, algorithm, evaluations, seed, out=out, **more)


def test_importing_the_search_is_light():
    heavy = ("torch", "sklearn", "xgboost", "pymoo", "moocore", "pandas", "scipy", "onnx", "onnxruntime")
    code = f"import sys, hwnas.search, hwnas.run, hwnas.front, hwnas.objectives; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": "nsga4"}, "unknown algorithm 'nsga4': did you mean 'nsga[23]'"),
        ({"evaluations": 0}, "at least 1, got 0"),
        ({"evaluations": 2.5}, "whole number"),
        ({"evaluations": True}, "whole number"),
        ({"seed": -1}, "at least 0"),
        ({"seed": "0"}, "at least 0"),
        ({"objectives": ()}, "at least one objective"),
        ({"constraints": ["latencyms <= 5"]}, "did you mean 'latency_ms'"),
        ({"constraints": ["latency_ms <= 5", "latency_ms >= 6"]}, "contradict"),
        ({"constraints": ["latency_ms <= 0.1"]}, "try latency_ms <= 0.2"),
        ({"options": {"popsize": 3}}, "unknown option of random"),
        ({"extra_spec": {"seed": 3}}, "cannot set 'seed'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        go(tmp_path / "run", **change)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_seed_not_given_is_drawn_and_recorded(tmp_path):
    runs = [go(tmp_path / str(i), seed=None) for i in range(2)]
    seeds = [run.spec["seed"] for run in runs]
    assert seeds[0] != seeds[1]
    assert toy.table(go(tmp_path / "again", seed=seeds[0])) == toy.table(runs[0])


def test_the_spec_says_all(tmp_path):
    run = go(
        tmp_path, constraints=["latency_ms<=1.5"], options={"batch": 7}, extra_spec={"device": {"name": "xeon"}, "command": "hwnas search"}
    )
    spec = run.spec
    assert spec["constraints"] == ["latency_ms <= 1.5"]
    assert (spec["algorithm"], spec["options"], spec["seed"], spec["evaluations"]) == ("random", {"batch": 7}, 0, 30)
    assert (spec["device"], spec["command"], spec["stopped"]) == ({"name": "xeon"}, "hwnas search", "budget: 30 evaluations")
    assert spec["hypervolume_reference"].keys() == {"accuracy", "latency_ms"}


def test_a_run_that_is_there_is_not_overwritten(tmp_path):
    run = go(tmp_path)
    before = run.database.read_bytes()
    with pytest.raises(InputError, match="pass --resume to go on with it, or choose another --out"):
        go(tmp_path)
    assert run.database.read_bytes() == before


def test_resume_starts_a_run_that_is_not_there_and_leaves_a_finished_one(tmp_path):
    rows = toy.table(go(tmp_path, resume=True))
    assert len(rows) == 30
    assert toy.table(go(tmp_path, resume=True)) == rows


def test_a_folder_with_other_files_may_become_a_run(tmp_path):
    (tmp_path / "device.json").write_text("{}")
    assert len(go(tmp_path).evaluations()) == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objectives": PAIR[::-1]}, "made with objectives"),
        ({"constraints": ["latency_ms <= 1.5"]}, r'made with constraints \[\], not \["latency_ms <= 1.5"\]'),
        ({"algorithm": "nsga2"}, "made with algorithm"),
        ({"seed": 1}, "made with seed 0, not 1"),
        ({"evaluations": 29}, "may only grow"),
        ({"extra_spec": {"device": "other"}}, "made with device null"),
    ],
)
def test_a_resumed_run_must_be_the_same(tmp_path, change, message):
    run = go(tmp_path)
    before = toy.table(run)
    with pytest.raises(InputError, match=message):
        go(tmp_path, resume=True, **change)
    assert toy.table(run) == before


def test_an_objective_that_changed_since_is_noticed(tmp_path):
    go(tmp_path)
    faster = toy.cost(lambda archs: 0.9 * toy.latency(archs))
    with pytest.raises(InputError, match=r"made with another latency_ms: .* for \[.*\], now"):
        go(tmp_path, objectives=(toy.score(), faster), evaluations=60, resume=True)


def test_rows_that_this_search_would_not_have_made_are_noticed(tmp_path):
    run = go(tmp_path)
    db = sqlite3.connect(run.database)
    db.execute("UPDATE evaluations SET architecture = '[5,3,3,3,3,3,3]' WHERE id = 17")
    db.commit()
    db.close()
    with pytest.raises(InputError, match=r"cannot be resumed: evaluation 17 is \[5,3,3,3,3,3,3\] there, but this search comes to .* numpy"):
        go(tmp_path, resume=True)


def test_rows_in_another_order_are_noticed(tmp_path):
    run = go(tmp_path)
    db = sqlite3.connect(run.database)
    for new, old in ((99, 5), (5, 6), (6, 99)):
        db.execute("UPDATE evaluations SET id = ? WHERE id = ?", (new, old))
    db.commit()
    db.close()
    with pytest.raises(InputError, match="cannot be resumed: evaluation 5 is"):
        go(tmp_path, resume=True)


def test_not_a_run(tmp_path):
    (tmp_path / "run.sqlite").write_text("hello " * 100)
    with pytest.raises(InputError, match="not a database"):
        go(tmp_path)
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="cannot make the run folder"):
            go(out)


def test_a_second_process_is_refused(tmp_path):
    def slow(archs):
        time.sleep(0.05)
        return toy.accuracy(archs)

    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=go, args=(tmp_path,), kwargs={"objectives": (toy.score(slow), toy.cost())})
    child.start()
    while not (tmp_path / "run.sqlite").exists():
        time.sleep(0.005)
    try:
        for resume in (False, True):
            with pytest.raises(InputError, match=rf"another process \({child.pid}\) is working on"):
                go(tmp_path, resume=resume)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    assert len(go(tmp_path, resume=True).evaluations()) == 30


def test_progress_counts_up_to_the_end(tmp_path):
    seen = []
    run = go(tmp_path, progress=seen.append)
    assert [p.done for p in seen] == list(range(1, 31))  # after every expensive evaluation
    assert {p.total for p in seen} == {30}
    volumes = [p.hypervolume for p in seen]
    np.testing.assert_allclose(volumes, run.hypervolume_course()[1])
    assert volumes == sorted(volumes)
    assert seen[-1].front_size == len(run.front())
    rows = run.evaluations()
    assert seen[-1].best == {"accuracy": rows["accuracy"].max(), "latency_ms": rows["latency_ms"].min()}
    again = []
    go(tmp_path, progress=again.append, resume=True)
    assert again[-1] == seen[-1]


def test_a_run_can_be_read_while_it_is_made(tmp_path):
    sizes = []

    def look(progress):
        run = Run.open(tmp_path)
        sizes.append((progress.done, len(run.rows()), len(run.front()) == progress.front_size))

    go(tmp_path, progress=look)
    assert sizes == [(i, i, True) for i in range(1, 31)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_keeps_what_is_done(tmp_path, error):
    calls = 0

    def ending(archs):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise error
        return toy.accuracy(archs)

    with pytest.raises(error):
        go(tmp_path, objectives=(toy.score(ending), toy.cost()))
    assert len(Run.open(tmp_path).rows()) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]
    assert Run.open(tmp_path).spec["stopped"] is None


def test_a_full_disk_is_said_in_one_line_and_the_run_goes_on_afterwards(tmp_path):
    def short_of_space():
        limit = 60_000  # bytes a file may have: room for the tables and some rows
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            go(tmp_path / "run", evaluations=400)
        except DeviceError as error:
            os._exit(3 if "cannot write" in str(error) and "\n" not in str(error) else 1)
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=short_of_space)
    child.start()
    child.join()
    assert child.exitcode == 3
    there = toy.table(Run.open(tmp_path / "run"))
    assert 0 < len(there) < 400
    assert toy.table(go(tmp_path / "run", evaluations=400, resume=True)) == toy.table(go(tmp_path / "whole", evaluations=400))


def test_timings_stand_beside_the_rows(tmp_path):
    def slow(archs):
        time.sleep(0.002)
        return toy.accuracy(archs)

    rows = go(tmp_path, objectives=(toy.score(slow), toy.cost())).evaluations()
    assert (rows["seconds"] >= 0.002).all()
    assert all(started.endswith("Z") for started in rows["started"])


def test_all_infeasible_and_failed_are_both_counted_at_the_end(tmp_path):
    def moody(archs):
        if archs[0, 0] % 2:
            raise ValueError("odd depth")
        return np.array([0.5])

    message = r"none of the 15 .* do not meet accuracy > 0.9 \(the nearest would meet accuracy > 0.499\); \d+ failed \(accuracy: ValueError"
    with pytest.raises(InputError, match=message):
        go(tmp_path, objectives=(toy.score(moody), toy.cost()), constraints=["accuracy > 0.9"], evaluations=15)
    assert sum(Run.open(tmp_path).counts().values()) == 15


class Stubborn(Optimiser):
    """Proposes the same three for ever, one of them twice and not in canonical form."""

    description = paper = "stubborn"
    asks = 0

    def ask(self, n):
        Stubborn.asks += 1
        self.last = np.array([[0, 1, 0, 0, 0, 0, 0], [0, 1, 3, 3, 3, 3, 3], [1, 1, 1, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0, 0]])
        return self.last

    def tell(self, archs, values, violation):
        np.testing.assert_array_equal(archs, SPACE.canonical(self.last))
        np.testing.assert_array_equal(values, np.column_stack([-toy.accuracy(archs), toy.latency(archs)]))


class Silent(Optimiser):
    """Has nothing to say."""

    description = paper = "silent"

    def ask(self, n):
        return np.empty((0, 7), dtype=np.int64)

    def tell(self, archs, values, violation):
        raise AssertionError


def test_an_optimiser_that_repeats_itself_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setitem(ALGORITHMS, "stubborn", Stubborn)
    run = go(tmp_path, algorithm="stubborn")
    assert len(run.rows()) == 3
    assert Stubborn.asks == BARREN + 1
    assert run.spec["stopped"] == f"exhausted: {BARREN} asks in a row brought nothing new"


class Listener(Stubborn):
    """Walks through the widths of one block and remembers what it is asked and told."""

    heard: list = []  # noqa: RUF012

    def ask(self, n):
        first = len([entry for entry in Listener.heard if entry[0] == "ask"])
        Listener.heard.append(("ask", n))
        return np.array([[1, first % 4, width, 0, 0, 0, 0] for width in range(4)])

    def tell(self, archs, values, violation):
        Listener.heard.append(("tell", archs.tolist(), values.tolist(), violation.tolist()))


def test_every_ask_is_for_a_whole_batch_and_every_answer_is_complete(tmp_path, monkeypatch):
    monkeypatch.setitem(ALGORITHMS, "listener", Listener)
    monkeypatch.setattr(Listener, "heard", [])
    constraints = ["accuracy >= 0.65", "latency_ms <= 0.5"]
    rows = go(tmp_path, algorithm="listener", constraints=constraints, evaluations=10).evaluations()
    assert [entry[1] for entry in Listener.heard if entry[0] == "ask"] == [Optimiser.batch] * 3  # whatever is left of the budget
    told = [entry for entry in Listener.heard if entry[0] == "tell"]
    assert [arch for entry in told for arch in entry[1]] == rows["architecture"].tolist()
    violation = np.concatenate([entry[3] for entry in told])
    expected = np.maximum(0, rows["latency_ms"] / 0.5 - 1) + np.nan_to_num(np.maximum(0, 1 - rows["accuracy"] / 0.65))
    np.testing.assert_allclose(violation, expected)
    np.testing.assert_array_equal(violation > 0, rows["status"] == "infeasible")
    assert 0 < (violation > 0).sum() < 10
    np.testing.assert_array_equal(np.concatenate([entry[2] for entry in told]), np.column_stack([-rows["accuracy"], rows["latency_ms"]]))


def test_an_optimiser_without_proposals_ends_the_search(tmp_path, monkeypatch):
    monkeypatch.setitem(ALGORITHMS, "silent", Silent)
    with pytest.raises(InputError, match="Silent proposed no architecture"):
        go(tmp_path, algorithm="silent")


def test_an_illegal_proposal_is_an_error_not_a_network(tmp_path, monkeypatch):
    class Illegal(Silent):
        def ask(self, n):
            return np.full((1, 7), 9)

    monkeypatch.setitem(ALGORITHMS, "illegal", Illegal)
    with pytest.raises(InputError, match="depth cannot have index 9"):
        go(tmp_path, algorithm="illegal")


def test_the_reference_does_not_depend_on_what_is_found(tmp_path):
    runs = [go(tmp_path / name, algorithm=name, seed=seed) for seed, name in enumerate(sorted(GENERAL))]
    assert len({str(run.spec["hypervolume_reference"]) for run in runs}) == 1
    small = go(tmp_path / "small", evaluations=1)
    assert small.spec["hypervolume_reference"] == runs[0].spec["hypervolume_reference"]
