"""The profiling script of a target device: measures ONNX models, or those of the kit it is in.

Needs numpy, onnxruntime (which says what is a right result), and the package of the runtime that is measured, if that is another one.

python3 -m device_profiles.agent --out P.jsonl [--budget 10m] [--runtime onnxruntime] [--threads 1] [--energy auto] MODELS...
python3 kit.pyz --out P.jsonl [--budget 10m] [--runtime onnxruntime] [--threads 1] [--energy auto]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from device_profiles import energy
from device_profiles.boards import board, disk
from device_profiles.boards.console import Progress, summary
from device_profiles.boards.shipped import Shipped, plan_models, read_model
from device_profiles.campaign import Campaign
from device_profiles.durations import seconds
from device_profiles.errors import DeviceError, HwnasError, InputError
from device_profiles.protocol import Protocol
from device_profiles.runtimes.catalogue import RUNTIMES, check_installed
from device_profiles.runtimes.gate import REFERENCE
from device_profiles.runtimes.process import RuntimeProcess

_INTERRUPTED = 130

#: Seconds between two times that what was measured is made to survive a loss of power, and between two notes of the progress.
_SYNC_S, _NOTE_S = 10.0, 1.0


def main(argv: Sequence[str] | None = None, models: Sequence[Shipped] = (), whole: int | None = None) -> int:
    """Runs a campaign and returns the exit code: 0 done, 2 the input is wrong, 3 the device failed, 130 interrupted.

    `models` are those of a kit, of which `whole` are timed whole; without them the arguments name files.
    """
    options = _parser(bool(models)).parse_args(argv)
    watch = _Watch(options)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        text = _campaign(options, models, whole, watch)
        code = 0
    except HwnasError as error:
        text, code = f"hwnas: {error}", error.exit_code
    except KeyboardInterrupt:
        text, code = "hwnas: interrupted; nothing measured is lost: the same command goes on", _INTERRUPTED
    try:
        watch.end(code, text)
    except DeviceError as error:
        _notice(f"hwnas: {error}")
        code = code or error.exit_code
    if not code and options.status is None:
        out = options.out
        text += f"\nprofile     {out.resolve()}\nnext        copy it to the host, and there: hwnas fit {out.name} --out device.json"
    print(text, file=sys.stderr if code else sys.stdout, flush=True)
    return code


def _parser(kit: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kit.pyz" if kit else "device_profiles.agent", description="Measures this device.", allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, required=True, help="the profile, JSON Lines; if it is there, the campaign goes on")
    parser.add_argument("--budget", help="time for measuring, such as 90s or 10m; without it, as long as it takes")
    parser.add_argument("--runtime", default=REFERENCE, help=f"what is measured: {', '.join(RUNTIMES)}")
    parser.add_argument("--threads", type=int, default=1, help="threads of the runtime")
    parser.add_argument("--energy", default="auto", help=energy.HELP)
    parser.add_argument("--functional", action="store_true", help="only try everything out, as under emulation: times are no measurements")
    parser.add_argument("--run", default="", help=argparse.SUPPRESS)  # the rest is for `device_profiles.boards.attach`
    parser.add_argument("--status", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--lock", type=int, help=argparse.SUPPRESS)
    if not kit:
        parser.add_argument("models", nargs="+", type=Path, help="ONNX files")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _campaign(options: argparse.Namespace, models: Sequence[Shipped], whole: int | None, watch: _Watch) -> str:
    """Plans and measures; returns the summary."""
    if options.threads < 1:
        raise InputError(f"--threads must be 1 or more, got {options.threads}")
    energy.check_wanted(options.energy)
    check_installed(options.runtime)
    budget_s, settings = seconds(options.budget), Protocol()
    given = list(models) or [read_model(path) for path in options.models]
    watch.take_board()
    disk.check_before_planning(given)
    with RuntimeProcess(options.runtime, options.threads) as runtime:
        meter = energy.choose(options.energy, str(runtime.fingerprint()["provider"]))
        plan, notes = plan_models(given, runtime, whole, watch)
        for note in notes:
            watch.notice(note)
        _notice(disk.check_before_measuring(plan, settings, budget_s, options.out))
        watch.start(budget_s)
        campaign = Campaign(
            plan, options.out, runtime, settings=settings, budget_s=budget_s, progress=watch, meter=meter, memory=True,
            functional=options.functional, notice=watch.notice,
        )  # fmt: skip
        outcome = campaign.run()
    watch.sync()
    text = summary(options.out, outcome.unfinished)
    return text if options.status is None else "\n".join([text, *watch.notices])


def _notice(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


class _Watch:
    """Follows a campaign: draws its progress, notes it in a file for whoever drives it, and syncs what was measured now and then."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._out, self._status, self._run = options.out, options.status, options.run
        self._lock = board.BoardLock(options.lock) if options.lock is not None else None
        self._synced = self._noted = time.monotonic()
        self.notices: list[str] = []
        self.start(None)

    def take_board(self) -> None:
        """Takes the lock of this board, unless it came from the parent. Raises DeviceError when another campaign holds it."""
        self._lock = self._lock or board.BoardLock.take()
        if self._lock is None:
            raise board.busy(board.holder())
        self._lock.describe(self._out.resolve(), self._run, os.getpid())

    def notice(self, sentence: str) -> None:
        """Says at once what the user should know, and keeps it for whoever drives this campaign from elsewhere."""
        self.notices.append(f"notice      {sentence}")
        _notice(sentence)

    def start(self, budget_s: float | None) -> None:
        """A new phase, which starts at 0 and may take so long."""
        self._shown = Progress(budget_s=budget_s)

    def __call__(self, share: float, message: str) -> None:
        self._shown(share, message)
        now = time.monotonic()
        if now - self._synced > _SYNC_S:
            self.sync()
            self._synced = time.monotonic()
        if self._status is not None and now - self._noted > _NOTE_S:
            self._noted = now
            left = self._shown.left_s(share)
            board.write_json(self._status, {"run": self._run, "share": share, "message": message, "left_s": left})

    def sync(self) -> None:
        """Makes finished lines and the journal survive a loss of power; called between rounds, never while something is timed."""
        for path in (self._out, self._out.with_name(self._out.name + ".journal")):
            try:
                fd = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue  # before the first line, and when the journal has done its duty
            try:
                os.fsync(fd)
            except OSError as error:
                raise DeviceError(f"{path}: the disk does not keep what is written: {error.strerror or error}") from error
            finally:
                os.close(fd)

    def end(self, code: int, text: str) -> None:
        """The last note: how it ended. Only then the board is free: whoever finds it free reads the note."""
        self._shown.end()
        try:
            if self._status is not None:
                board.write_json(self._status, {"run": self._run, "code": code, "text": text})
        finally:
            if self._lock is not None:
                self._lock.release()


if __name__ == "__main__":
    sys.exit(main())
