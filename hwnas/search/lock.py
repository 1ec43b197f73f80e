"""One process at a time on a run folder: a lock that the kernel lets go when the process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device_profiles.errors import InputError

#: Locked folders of this process: record locks do not exclude a process from itself.
_held: set[Path] = set()


@contextmanager
def run_lock(folder: Path, advice: str = "choose another --out") -> Iterator[None]:
    """Hold the folder's `run.lock`, which is there only as long as it is held; `advice` is what else one may do than wait.

    Raises InputError when another search, in this process or in another, holds it, or when the folder cannot be written.
    A record lock is used because child processes do not inherit it: one that survives a kill of its parent does not hold the run.
    """
    path = folder.resolve() / "run.lock"
    if path in _held:
        raise InputError(f"another search of this process is working on {folder}: wait for it, or {advice}")
    try:
        handle = _acquire(path, folder, advice)
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror}") from error
    _held.add(path)
    try:
        yield
    finally:
        _held.discard(path)
        # Unlinked while still locked: who waits on the old file sees that it is gone, and opens the new one.
        path.unlink(missing_ok=True)
        os.close(handle)


def _acquire(path: Path, folder: Path, advice: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            owner = os.read(handle, 20).decode("ascii", "replace").strip()
            os.close(handle)
            raise InputError(f"another process ({owner or 'unknown id'}) is working on {folder}: wait for it, or {advice}") from None
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            os.truncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode("ascii"))
            return handle
        os.close(handle)
