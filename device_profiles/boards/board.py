"""One campaign per board: the lock, and where a campaign driven from another machine keeps its files."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device_profiles.errors import DeviceError


def folder() -> Path:
    """`~/.cache/hwnas`, made if it is not there. Raises DeviceError when it cannot be made."""
    path = Path.home() / ".cache" / "hwnas"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be made: {error.strerror or error}; the lock of this board lies there") from error
    return path


class BoardLock:
    """Held while a campaign measures here: two at a time would time each other.

    A lock of the operating system on an open file: it goes when the process that holds it goes, however it ends, and can be handed to a
    child by the number of its file.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def take(cls) -> BoardLock | None:
        """The lock, or None when a campaign holds it."""
        path = folder() / "campaign.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DeviceError(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return None
        return cls(fd)

    def describe(self, out: Path, run: str, pid: int) -> None:
        """Writes into the lock file who holds it."""
        text = json.dumps({"out": str(out), "run": run, "pid": pid, "since": time.strftime("%Y-%m-%d %H:%M")}).encode()
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text, 0)

    def release(self) -> None:
        """Lets go of this process's hold; a child that was handed the file keeps the lock."""
        os.close(self.fd)


def holder() -> dict[str, Any]:
    """Who holds the lock, as they describe themselves; empty when that cannot be read."""
    return read_json(folder() / "campaign.lock")


def busy(who: Mapping[str, Any]) -> DeviceError:
    """The error for a board on which a campaign is already running."""
    return DeviceError(
        f"another campaign is measuring on this board: process {who.get('pid', 'unknown')} into {who.get('out', 'an unknown file')} since "
        f"{who.get('since', 'an unknown time')}; wait for it, or stop it with: kill -INT {who.get('pid', 'PID')}"
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when there is none that is whole."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a small JSON file so that a reader sees either the old or the new one. Raises DeviceError when it cannot be written."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(json.dumps(content))
        new.replace(path)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror or error}; nothing already measured is lost") from error
