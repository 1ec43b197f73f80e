"""The board's end of a campaign driven over ssh: starts it apart from the connection, or finds it running, and tells how it goes.

Writes lines to standard output, each with its kind first: `D` a line of the profile as it is, `P` progress (JSON), `E` the end (JSON:
`code`, `text`). The campaign does not depend on this process: when the connection drops, this ends and the campaign goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from device_profiles.boards import board
from device_profiles.errors import DeviceError, HwnasError, InputError

#: Seconds between two looks at the profile, and between two signs of life: a connection that is gone is noticed by writing to it.
_LOOK_S, _SIGN_S = 0.5, 5.0

#: Looks at who holds the lock before it is believed.
_TRIES = 4


def main(argv: Sequence[str], kit: str) -> int:
    """Attaches to the campaign on file `--out`, or stops it; returns 0, however the campaign ends."""
    parser = argparse.ArgumentParser(prog="kit.pyz attach", allow_abbrev=False)
    parser.add_argument("--out", required=True, help="name of the profile in the folder of the board")
    parser.add_argument("--run", required=True, help="names one start of the campaign, over all connections")
    parser.add_argument("--have", type=int, default=0, help="bytes of the profile that the other side has")
    parser.add_argument("--sha256", default="", help="their digest")
    parser.add_argument("--stop", action="store_true", help="stop the campaign")
    parser.add_argument("agent", nargs="*", help="arguments of the campaign")
    options = parser.parse_args(argv)
    out = board.folder() / options.out
    sink = sys.stdout.buffer
    try:
        if options.stop:
            _stop(out)
            ended = {"code": 0, "text": "stopped"}
        else:
            ended = _follow(out, options, kit, sink)
        _say(sink, "E", ended)
    except HwnasError as error:
        _say(sink, "E", {"code": error.exit_code, "text": str(error)})
    except BrokenPipeError:
        os._exit(0)  # the connection is gone, and with it the place for any message
    return 0


def _say(sink: BinaryIO, kind: str, content: dict[str, Any]) -> None:
    sink.write(f"{kind} {json.dumps(content)}\n".encode())
    sink.flush()


def _follow(out: Path, options: argparse.Namespace, kit: str, sink: BinaryIO) -> dict[str, Any]:
    """Sends what the other side lacks until the campaign has ended; returns its end."""
    run, status = options.run, out.with_suffix(".status")
    child, lock = None, _take_or_find(out)
    if lock is None:
        run = board.holder().get("run", run)  # one that an earlier start left running: it is the same campaign
    position = _checked(out, options.have, options.sha256)
    if lock is not None:
        ended = board.read_json(status)
        if ended.get("run") != run or "code" not in ended:
            child = _start(out, run, lock, kit, options.agent)
        lock.release()
    signed = 0.0
    while True:
        running = _running(child)
        position = _send(out, position, sink)
        if not running:
            break
        if time.monotonic() - signed > _SIGN_S:
            note = board.read_json(status)
            _say(sink, "P", note if note.get("run") == run and "share" in note else {"share": 0.0, "message": "starting"})
            signed = time.monotonic()
        time.sleep(_LOOK_S)
    ended = board.read_json(status)
    if ended.get("run") != run or "code" not in ended:
        raise DeviceError(f"the campaign ended without a word (killed, or the board lacked memory); its output: {out.with_suffix('.log')}")
    return {"code": ended["code"], "text": ended["text"]}


def _take_or_find(out: Path) -> board.BoardLock | None:
    """The lock of the board; None when the campaign on `out` holds it. Raises DeviceError when another one does."""
    for _ in range(_TRIES):
        lock = board.BoardLock.take()
        if lock is not None or board.holder().get("out") == str(out.resolve()):
            return lock
        time.sleep(_LOOK_S)  # whoever has just taken it has not said yet who they are
    raise board.busy(board.holder())


def _checked(out: Path, have: int, sha256: str) -> int:
    """Where to go on sending. Raises InputError when what the other side has is not how the profile here begins."""
    if have:
        data = out.read_bytes()[:have] if out.exists() else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InputError(f"the file on the host does not begin as the profile on the board ({out}) does; choose another --out")
    return have


def _start(out: Path, run: str, lock: board.BoardLock, kit: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Starts the campaign in a session of its own, which holds the lock from the first moment."""
    status, log = out.with_suffix(".status"), out.with_suffix(".log")
    lock.describe(out.resolve(), run, os.getpid())
    command = [sys.executable, kit, "--out", str(out), "--run", run, "--status", str(status), "--lock", str(lock.fd), *arguments]
    with log.open("wb") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, pass_fds=[lock.fd], cwd=str(out.parent)
        )


def _running(child: subprocess.Popen[bytes] | None) -> bool:
    if child is not None:
        return child.poll() is None
    lock = board.BoardLock.take()
    if lock is not None:
        lock.release()
    return lock is None


def _send(out: Path, position: int, sink: BinaryIO) -> int:
    """Sends the whole lines after `position`; returns the new position."""
    if not out.exists() or out.stat().st_size <= position:
        return position
    with out.open("rb") as file:
        os.fsync(file.fileno())  # what the host has must not be lost here: it goes on from there
        file.seek(position)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    for line in whole.splitlines(keepends=True):
        sink.write(b"D " + line)
    sink.flush()
    return position + len(whole)


def _stop(out: Path) -> None:
    """Interrupts the campaign on `out`, if it runs, and waits until it has ended."""
    if _running(None) and board.holder().get("out") == str(out.resolve()):
        os.kill(int(board.holder()["pid"]), signal.SIGINT)
        for _ in range(20):
            if not _running(None):
                return
            time.sleep(_LOOK_S)
        raise DeviceError(f"the campaign did not stop within 10 s: process {board.holder().get('pid')}")
