"""One process on a run folder, and no lock that outlives its process."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import time

import pytest

from device_profiles.errors import InputError
from hwnas.search.lock import run_lock

FORK = multiprocessing.get_context("fork")


def hold(folder, ready, orphan=False):
    with run_lock(folder):
        child = os.fork() if orphan else None  # a child that outlives us with everything we had open, as a worker may
        if child != 0:
            ready.put(child or os.getpid())
        time.sleep(20)
        os._exit(0)


def holder(folder, orphan=False):
    ready = FORK.Queue()
    process = FORK.Process(target=hold, args=(folder, ready, orphan))
    process.start()
    return process, ready.get(timeout=10)


def test_the_lock_is_there_only_while_it_is_held(tmp_path):
    with run_lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), run_lock(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_another_process_is_refused_until_the_first_is_killed(tmp_path):
    process, pid = holder(tmp_path)
    try:
        with pytest.raises(InputError, match=rf"another process \({pid}\) is working on"), run_lock(tmp_path):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    with run_lock(tmp_path):  # what the dead left behind does not stand in the way
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_survives_does_not_hold_the_run(tmp_path):
    process, orphan = holder(tmp_path, orphan=True)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    try:
        with run_lock(tmp_path):
            pass
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_the_same_process_is_refused_too(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with run_lock(tmp_path / "run"):
        with pytest.raises(InputError, match="another search of this process"), run_lock(tmp_path / "link"):
            pass
        assert (tmp_path / "run" / "run.lock").exists()


def test_a_lock_on_a_file_that_its_last_holder_removed_is_no_lock(tmp_path, monkeypatch):
    real, calls = fcntl.lockf, []

    def late(handle, flags):
        if not calls:  # between our open and our lock the last holder lets go
            (tmp_path / "run.lock").unlink()
        calls.append(handle)
        real(handle, flags)

    monkeypatch.setattr(fcntl, "lockf", late)
    with run_lock(tmp_path):
        assert len(calls) == 2
        assert (tmp_path / "run.lock").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot write into"), run_lock(tmp_path / "missing"):
        pass
