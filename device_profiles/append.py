"""Appending to a profile or its journal: whole sealed lines, one writer, safe to kill at any byte."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from device_profiles.errors import DeviceError, InputError
from device_profiles.seal import MAX_BYTES, is_sealed, seal

#: How a profile and its journal begin.
_STARTS = (b'{"type":"header"', b'{"key":')


class Appender:
    """Appends sealed lines to a file that only one process may write; what a kill or a loss of power cut short is removed on opening.

    Raises InputError when the file cannot be written, is damaged or is something else, DeviceError when another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise DeviceError(f"{path}: another process is measuring into this file; wait for it or choose another file") from error
        try:
            about = os.fstat(self._fd)
            if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_BYTES:
                raise InputError(f"{path}: not a file that a profile can be written to; choose another name")
            data = path.read_bytes()
            self.lines = _complete_lines(path, data)
        except InputError:
            os.close(self._fd)
            raise
        keep = sum(len(line) + 1 for line in self.lines)
        if keep < len(data):
            os.ftruncate(self._fd, keep)

    def append(self, line: Mapping[str, Any]) -> None:
        """Writes one line whole. Raises DeviceError when the disk is full."""
        self._write(seal(line))

    def append_sealed(self, text: bytes) -> None:
        """Writes a line that was sealed elsewhere, with its newline. Raises DeviceError when its checksum is wrong or the disk is full."""
        if not is_sealed(text.removesuffix(b"\n")):
            raise DeviceError(f"{self.path}: a line arrived damaged: its checksum does not match; start again")
        self._write(text)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._fd).st_size

    def _write(self, text: bytes) -> None:
        size = self.size
        try:
            written = os.write(self._fd, text)
        except OSError as error:
            raise DeviceError(f"{self.path}: cannot be written: {error.strerror or error}; nothing already measured is lost") from error
        if written < len(text):
            os.ftruncate(self._fd, size)
            raise DeviceError(f"{self.path}: the disk is full; nothing already measured is lost, free some space and start again")

    def sync(self) -> None:
        """Makes what was written survive a loss of power."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)

    def __enter__(self) -> Appender:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _complete_lines(path: Path, data: bytes) -> list[bytes]:
    """The lines that were written whole. Only what follows the last sound line is left out, and only in a file that we began."""
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    begun = is_sealed(lines[0]) if lines else any(data[: len(start)] == start[: len(data)] for start in _STARTS)
    if not begun:
        raise InputError(f"{path}: there is a file already that is no profile, or whose first line is damaged; choose another name")
    while not all(map(is_sealed, lines[-1:])):
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not is_sealed(line):
            raise InputError(
                f"{path}, line {number}: changed or damaged: its checksum does not match; take this line out or start a new file"
            )
    return lines
