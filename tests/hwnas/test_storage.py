"""The database under a run: whole batches or none, whatever ends a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3

import pytest

from device_profiles.errors import DeviceError, InputError
from hwnas.storage import Evaluation, Writer, columns, from_text, holds_run, read_rows, reading, to_text

ROWS = [Evaluation(1, (0, 1), ((0.1, 0.05, 0.2),), "ok"), Evaluation(2, (1, 1), (None,), "failed", "cost: ValueError: no")]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.sqlite"
    with Writer(path, create=True) as writer:
        writer.create(["cost"], {"objectives": ["cost"]})
    return path


def test_architectures_are_json_lists():
    assert to_text((0, 12, 3)) == "[0,12,3]"
    assert from_text("[0, 12, 3]") == (0, 12, 3)


def test_names_become_columns_only_when_they_are_identifiers():
    assert columns(["a_ms"]) == ['"a_ms"', '"a_ms_low"', '"a_ms_high"']
    with pytest.raises(InputError, match="letters"):
        columns(['a" REAL); DROP TABLE spec; --'])


def test_an_interrupt_inside_a_transaction_undoes_it(path):
    def interrupted(writer):
        with writer.transaction() as db:
            db.execute("DELETE FROM evaluations")
            raise KeyboardInterrupt

    with Writer(path) as writer:
        writer.add(ROWS[:1])
        with pytest.raises(KeyboardInterrupt):
            interrupted(writer)
    assert read_rows(path, ["cost"]) == ROWS[:1]


def test_a_batch_is_stored_whole_or_not_at_all(path):
    with Writer(path) as writer:
        writer.add(ROWS)
        with pytest.raises(DeviceError, match="UNIQUE"):
            writer.add([Evaluation(3, (2, 2), (None,), "ok"), Evaluation(4, (0, 1), (None,), "ok")])
    assert read_rows(path, ["cost"]) == ROWS


def test_only_create_makes_a_file(tmp_path):
    with pytest.raises(DeviceError, match="cannot write"), Writer(tmp_path / "run.sqlite"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_readers_cannot_write(path):
    with pytest.raises(InputError, match="readonly"), reading(path) as db:
        db.execute("DELETE FROM spec")


def test_a_database_without_tables_is_no_run_yet(tmp_path):
    path = tmp_path / "run.sqlite"
    assert not holds_run(path)
    with Writer(path, create=True):
        assert not holds_run(path)
        assert path.exists()
    with Writer(path, create=True) as writer:
        writer.create(["cost"], {})
    assert holds_run(path)


def test_a_journal_left_by_a_killed_process_is_rolled_back_by_the_next_reader(path):
    with Writer(path) as writer:
        writer.add(ROWS)

    def die_in_the_middle():
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA cache_size = 1")  # pages go to the file before the commit, so that there is something to roll back
        db.execute("BEGIN")
        db.execute("DELETE FROM evaluations")
        db.executemany("INSERT INTO phases VALUES (?, ?, ?)", [("x" * 500, 0.0, "")] * 500)
        os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=die_in_the_middle)
    child.start()
    child.join()
    assert path.with_name("run.sqlite-journal").exists()
    assert holds_run(path)
    assert read_rows(path, ["cost"]) == ROWS
