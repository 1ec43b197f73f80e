"""A run folder: what is stored comes back, a damaged one is refused in one line, and reading goes on while another process writes."""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import DeviceError, InputError
from device_profiles.quantity import Quantity
from hwnas.front import hypervolume
from hwnas.run import Run
from hwnas.storage import Evaluation, Writer, dumps

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "search" / "toy_space.py")))
OBJECTIVES = (toy.score(), toy.cost())
SPEC = {"seed": 3, "constraints": [], "hypervolume_reference": {"accuracy": 0.0, "latency_ms": 4.0}}


def exact(*values):
    return tuple((value, value, value) for value in values)


ROWS = [
    Evaluation(1, (0, 0), ((0.5, 0.4, 0.6), (1.0, 0.9, 1.2)), "ok", None, "2026-01-01T00:00:00Z", 0.25),
    Evaluation(2, (1, 0), exact(0.99, 0.5), "infeasible"),  # better than all, and of no use
    Evaluation(3, (2, 0), (None, (2.0, 2.0, 2.0)), "failed", "accuracy: ValueError: no"),
    Evaluation(4, (3, 0), exact(0.9, 3.0), "ok"),
    Evaluation(5, (4, 0), exact(0.8, 3.5), "ok"),
]


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run", SPEC, OBJECTIVES)
    with Writer(run.database) as writer:
        writer.add(ROWS[:2])
        writer.add(ROWS[2:])
    return run


def test_rows_come_back_as_they_were(run):
    assert run.rows() == ROWS
    assert Run.open(run.path).rows() == ROWS


def test_the_tables_are_those_of_the_architecture_document(run):
    db = sqlite3.connect(run.database)
    tables = {
        name: [row[1:3] for row in db.execute(f"PRAGMA table_info({name})")] for (name,) in db.execute("SELECT name FROM sqlite_master")
    }
    db.close()
    numbers = [(name + end, "REAL") for name in ("accuracy", "latency_ms") for end in ("", "_low", "_high")]
    assert tables["evaluations"] == [("id", "INTEGER"), ("architecture", "TEXT"), *numbers, ("status", "TEXT"), ("error", "TEXT")]
    assert tables["timings"] == [("id", "INTEGER"), ("started", "TEXT"), ("seconds", "REAL")]
    assert [name for name, _ in tables["extras"]] == ["architecture", "name", "value", "low", "high", "origin"]
    assert [name for name, _ in tables["phases"]] == ["name", "seconds", "note"]
    assert [name for name, _ in tables["spec"]] == ["key", "value"]


def test_evaluations_are_a_structured_array(run):
    table = run.evaluations()
    assert table["id"].tolist() == [1, 2, 3, 4, 5]
    assert table["architecture"].tolist() == [[i, 0] for i in range(5)]
    np.testing.assert_array_equal(table["accuracy"], [0.5, 0.99, np.nan, 0.9, 0.8])
    np.testing.assert_array_equal(table["latency_ms_high"], [1.2, 0.5, 2.0, 3.0, 3.5])
    assert table["status"].tolist() == ["ok", "infeasible", "failed", "ok", "ok"]
    assert table["error"].tolist() == [None, None, "accuracy: ValueError: no", None, None]
    assert table["seconds"][0] == 0.25
    assert run.counts() == {"ok": 3, "infeasible": 1, "failed": 1}


def test_floats_keep_every_bit(tmp_path):
    values = [0.1 + 0.2, 1e-300, np.nextafter(1.0, 2.0), 123456789.123456789]
    run = Run.create(tmp_path, SPEC, OBJECTIVES)
    with Writer(run.database) as writer:
        writer.add([Evaluation(i + 1, (i,), exact(0.5, float(value)), "ok") for i, value in enumerate(values)])
    assert run.evaluations()["latency_ms"].tolist() == values


def test_the_front_has_only_usable_rows_and_joins_extras(run):
    run.add_extra(np.array([3, 0]), "test_accuracy", Quantity(0.88, 0.85, 0.91, "measured"))
    run.add_extra((3, 0), "test_accuracy", Quantity(0.87, 0.85, 0.91, "measured"))
    front = run.front()
    assert front.architectures.tolist() == [[0, 0], [3, 0]]
    assert front.values.tolist() == [[0.5, 1.0], [0.9, 3.0]]
    assert front.lows.tolist() == [[0.4, 0.9], [0.9, 3.0]]
    assert front[1].extras == {"test_accuracy": Quantity(0.87, 0.85, 0.91, "measured")}
    assert front[0].objectives["latency_ms"].origin == "predicted"


def test_the_front_of_nothing_is_empty(tmp_path):
    run = Run.create(tmp_path, SPEC, OBJECTIVES)
    assert len(run.front()) == 0
    assert len(run.evaluations()) == 0
    assert [len(part) for part in run.hypervolume_course()] == [0, 0]
    run.write_front()


def test_hypervolume_course_is_the_hypervolume_of_each_prefix(run):
    number, course = run.hypervolume_course()
    costs = np.array([[-row.estimates[0][0], row.estimates[1][0]] if row.status == "ok" else [np.nan, np.nan] for row in ROWS])
    assert number.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(course, [hypervolume(costs[: i + 1], [0.0, 4.0]) for i in range(5)])
    assert course[-1] == run.front().hypervolume(SPEC["hypervolume_reference"])


def test_phases_are_kept_in_order(run):
    run.add_phase("search", 1.5)
    run.add_phase("verify", 2.5, "30 points")
    assert run.phases() == [("search", 1.5, ""), ("verify", 2.5, "30 points")]


def test_written_fronts_are_whole_and_the_same_every_time(run):
    run.add_extra((3, 0), "test_accuracy", Quantity(0.88, 0.85, 0.91, "measured"))
    run.write_front()
    first = {name: (run.path / name).read_bytes() for name in ("front.csv", "front.json")}
    run.write_front()
    assert {name: (run.path / name).read_bytes() for name in first} == first
    data = json.loads(first["front.json"])
    assert data["schema"] == 1
    assert data["run"]["seed"] == 3
    assert data["run"]["counts"] == {"ok": 3, "infeasible": 1, "failed": 1}
    assert data["points"][0]["accuracy"] == {"value": 0.5, "low": 0.4, "high": 0.6, "origin": "measured"}
    assert data["points"][1]["extras"]["test_accuracy"]["value"] == 0.88
    assert first["front.csv"].decode().splitlines()[0].startswith("architecture,accuracy,accuracy_low")
    assert sorted(path.name for path in run.path.iterdir()) == ["front.csv", "front.json", "run.sqlite"]


def test_json_is_the_same_text_and_has_no_nan():
    assert dumps({"b": 1, "a": [1.5]}) == dumps({"a": [1.5], "b": 1}) == '{"a":[1.5],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        dumps(float("nan"))


def test_a_run_is_not_made_twice(run):
    with pytest.raises(InputError, match="already"):
        Run.create(run.path, SPEC, OBJECTIVES)


def test_the_database_may_be_named(run):
    assert Run.open(run.database).path == run.path


def other_database(path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE spec (key, value)")
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no run"),
        (lambda path: path.write_bytes(b""), "no run"),
        (lambda path: path.write_text("hello " * 100), "not a database"),
        (other_database, "not a run"),
        (lambda path: path.mkdir(), "cannot read"),
    ],
)
def test_what_is_not_a_run_is_refused_in_one_line(tmp_path, make, message):
    make(tmp_path / "run.sqlite")
    with pytest.raises(InputError, match=message) as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_truncated_database_is_refused(run):
    data = run.database.read_bytes()
    run.database.write_bytes(data[: len(data) // 3])
    with pytest.raises(InputError, match=r"run\.sqlite"):
        Run.open(run.path).front()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 99", "newer hwnas"),
        ("UPDATE spec SET value = 'x' WHERE key = 'objectives'", "damaged"),
        ("DELETE FROM spec", "damaged"),
        (
            """UPDATE spec SET value = '[{"name": "a\\" FROM spec; --", "unit": "", "direction": "min"}]' WHERE key = 'objectives'""",
            "letters",
        ),
        ("UPDATE evaluations SET architecture = 'x' WHERE id = 1", "damaged"),
        ("UPDATE evaluations SET accuracy = 'x' WHERE id = 1", "damaged"),
        ("UPDATE evaluations SET architecture = '[1]' WHERE id = 1", "different numbers of choices"),
        ("UPDATE spec SET value = '{}' WHERE key = 'hypervolume_reference'", "no hypervolume_reference"),
        ("INSERT INTO extras VALUES ('[0,0]', 'x', NULL, 0, 0, 'measured')", "damaged"),
        ("INSERT INTO extras VALUES ('[0,0]', 'x', 0, 0, 0, 'guessed')", "damaged"),
        ("DROP TABLE evaluations", "no such table"),
    ],
)
def test_damage_is_named(run, statement, message):
    db = sqlite3.connect(run.database)
    db.execute(statement)
    db.commit()
    db.close()
    with pytest.raises(InputError, match=message) as caught:
        Run.open(run.path).write_front()
    assert "\n" not in str(caught.value)


def test_writing_without_a_run_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(DeviceError, match="cannot write"):
        Run(tmp_path).add_phase("search", 1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make"):
        Run.create(tmp_path / "file" / "run", SPEC, OBJECTIVES)


def test_a_duplicate_is_refused_and_the_batch_with_it(run):
    with pytest.raises(DeviceError, match="UNIQUE"), Writer(run.database) as writer:
        writer.add([Evaluation(6, (9, 9), exact(0.1, 1.0), "ok"), Evaluation(7, (0, 0), exact(0.1, 1.0), "ok")])
    assert run.rows() == ROWS


def test_a_killed_writer_loses_nothing_committed_and_nobody_waits(tmp_path):
    run = Run.create(tmp_path, SPEC, OBJECTIVES)

    def write_and_die():
        with Writer(run.database) as writer:
            writer.add(ROWS)
            with writer.transaction() as db:
                db.execute("DELETE FROM evaluations")
                os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=write_and_die)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert Run.open(tmp_path).rows() == ROWS


def test_reading_goes_on_while_another_process_writes(run):
    code = f"from hwnas.run import Run; run = Run.open({str(run.path)!r}); run.write_front(); print(len(run.front()), run.counts()['ok'])"
    with Writer(run.database) as writer, writer.transaction() as db:
        db.execute("DELETE FROM evaluations")
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True).stdout
        assert answer.split() == ["2", "3"]
        assert len(run.front()) == 2
    assert len(run.front()) == 0


def test_a_finished_run_is_one_file_that_can_be_read_where_nothing_can_be_written(run, tmp_path):
    assert [path.name for path in run.path.iterdir()] == ["run.sqlite"]
    run.path.chmod(0o555)
    try:
        assert len(Run.open(run.path).front()) == 2
    finally:
        run.path.chmod(0o755)
    assert run.database.read_bytes()[18:20] == b"\x01\x01"  # the header of a database without write-ahead log
