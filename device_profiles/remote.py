"""Measures other machines over ssh: the kit goes there, the profile comes back line by line, and a lost connection costs nothing."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

from device_profiles import energy, kit
from device_profiles.append import Appender
from device_profiles.boards import ssh
from device_profiles.boards.shipped import Shipped
from device_profiles.durations import spoken
from device_profiles.errors import DeviceError, HwnasError, InputError
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes.gate import REFERENCE
from device_profiles.seal import MAX_LINE

#: Called as `progress(host, share done, message)`, from a thread per host.
RemoteProgress = Callable[[str, float, str], None]

#: Seconds between attempts to connect again: doubled from the first to the last.
_FIRST_WAIT_S, _LAST_WAIT_S = 1.0, 60.0

_ERRORS: dict[int, type[HwnasError]] = {2: InputError, 3: DeviceError}


@dataclass(frozen=True)
class Job:
    """What is measured, on every host alike; `patience_s` is how long an unreachable host is waited for.

    `runtime` must be installed there; `energy` names a meter there, see `energy.choose`.
    """

    models: Sequence[Shipped]
    whole: int | None = None
    threads: int = 1
    budget: str | None = None
    config: Path | None = None
    patience_s: float = 1800.0
    functional: bool = False
    runtime: str = REFERENCE
    energy: str = "auto"


@dataclass
class HostResult:
    """How it went on one host: `text` is the board's summary, `error` is None when it went well."""

    host: str
    out: Path
    text: str = ""
    error: HwnasError | None = None
    kit: str = ""


def out_paths(out: Path, hosts: Sequence[str]) -> list[Path]:
    """One file per host: `out` itself for one host, `P-<host>.jsonl` for several. Raises InputError when two hosts are the same."""
    if len(hosts) == 1:
        return [out]
    paths = [out.with_name(f"{out.stem}-{re.sub(r'[^A-Za-z0-9.-]+', '_', host)}{out.suffix}") for host in hosts]
    if len(set(paths)) < len(paths):
        raise InputError("a host is named twice; two campaigns on one board would time each other")
    return paths


def profile_hosts(hosts: Sequence[str], out: Path, job: Job, progress: RemoteProgress) -> list[HostResult]:
    """Measures on all hosts at once, each into its own file; what fails on one does not stop the others.

    ctrl-c stops the campaigns on the boards and raises KeyboardInterrupt. Raises InputError before anything starts when a host name is
    none, or two are the same.
    """
    for host in hosts:
        ssh.check_host(host)
    energy.check_elsewhere(job.energy)
    content, name = kit.build_kit(job.models, job.whole), kit.identity(job.models, job.whole)
    drives = [_Drive(host, path, job, content, name, progress) for host, path in zip(hosts, out_paths(out, hosts), strict=True)]
    threads = [threading.Thread(target=drive.run, daemon=True) for drive in drives]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.1)
    except KeyboardInterrupt:
        for drive in drives:
            drive.interrupt()
        for thread in threads:
            thread.join(30.0)
        raise
    return [drive.result for drive in drives]


@dataclass
class _Drive:
    """One campaign on one host, from this end."""

    host: str
    out: Path
    job: Job
    content: bytes
    name: str
    progress: RemoteProgress
    result: HostResult = field(init=False)

    def __post_init__(self) -> None:
        self._ssh = ssh.Ssh(self.host, self.job.config)
        self._run, self._stop = secrets.token_hex(6), threading.Event()
        self._process: Popen[bytes] | None = None
        self._share = 0.0
        self._kit = f"kit-{hashlib.sha256(self.content).hexdigest()[:12]}.pyz"
        self.result = HostResult(self.host, self.out, kit=f"{self.host}:~/.cache/hwnas/{self._kit}")

    def run(self) -> None:
        """Copies, measures, brings back; what goes wrong is kept in the result."""
        try:
            with Appender(self.out) as local:
                self._copy()
                self.result.text = self._measure(local)
                local.sync()
            DeviceProfile.read(self.out)
        except HwnasError as error:
            self.result.error = error
            if self.out.is_file() and not self.out.stat().st_size:
                self.out.unlink()

    def interrupt(self) -> None:
        """Ends the connection and stops the campaign on the board."""
        self._stop.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        try:
            self._ssh.run(ssh.python([self._kit, "attach", "--stop", "--out", self._remote_name, "--run", self._run]), timeout_s=20.0)
        except HwnasError as error:
            self.result.error = error

    @property
    def _remote_name(self) -> str:
        return f"{self.name}-{self.job.runtime}-{self.job.threads}t.jsonl"

    def _copy(self) -> None:
        """The kit, unless it is there; a copy that was cut short is never used."""
        self.progress(self.host, 0.0, "copying the kit")
        part = f"{self._kit}.{self._run}"
        script = (
            'mkdir -p "$HOME/.cache/hwnas" && cd "$HOME/.cache/hwnas" || exit 3; '
            f"if [ -f {self._kit} ]; then echo there; exit 0; fi; cat > {part}; "
            f'if [ "$(wc -c < {part})" -eq {len(self.content)} ]; then mv {part} {self._kit}; '
            f"else rm -f {part}; echo 'the kit did not arrive whole: is the disk full?' >&2; exit 3; fi"
        )
        self._ssh.run(script, self.content)

    def _measure(self, local: Appender) -> str:
        """Attaches again and again until the campaign has ended; returns its summary."""
        position, digest = 0, hashlib.sha256()
        for line in local.lines:
            digest.update(line + b"\n")
            position += len(line) + 1
        wait_s, lost_since = _FIRST_WAIT_S, None
        while True:
            before = position
            try:
                ended, position = self._attach(local, position, digest)
                if ended["code"]:
                    raise _ERRORS.get(ended["code"], DeviceError)(f"{self.host}: {str(ended['text']).removeprefix('hwnas: ')}")
                return str(ended["text"])
            except ssh.ConnectionLost as error:
                position = local.size
                if position > before or lost_since is None:
                    lost_since, wait_s = time.monotonic(), _FIRST_WAIT_S
                if self._stop.is_set() or time.monotonic() - lost_since + wait_s > self.job.patience_s:
                    raise DeviceError(f"{error}; the campaign on the board goes on, and the same command takes it up again") from error
                self.progress(self.host, self._share, f"connection lost, next attempt in {wait_s:.0f} s")
                self._stop.wait(wait_s)
                wait_s = min(2 * wait_s, _LAST_WAIT_S)

    def _attach(self, local: Appender, position: int, digest: Any) -> tuple[dict[str, Any], int]:
        """Streams the profile into the local file over one connection; returns how the campaign ended, and the position in the file."""
        budget = ["--budget", self.job.budget] if self.job.budget else []
        extra = ["--functional"] if self.job.functional else []
        have = ["--have", str(position), "--sha256", digest.hexdigest() if position else ""]
        chosen = ["--runtime", self.job.runtime, "--energy", self.job.energy]
        agent = ["--", "--threads", str(self.job.threads), *chosen, *budget, *extra]
        arguments = [self._kit, "attach", "--out", self._remote_name, "--run", self._run, *have, *agent]
        with tempfile.TemporaryFile() as errors:
            process = self._process = self._ssh.start(ssh.python(arguments), errors)
            try:
                assert process.stdout is not None
                while text := process.stdout.readline(MAX_LINE):
                    kind, content = text[:2], text[2:]
                    if not text.endswith(b"\n"):
                        break  # cut within a line: the next connection brings it whole
                    if kind == b"D ":
                        local.append_sealed(content)
                        digest.update(content)
                        position += len(content)
                    elif kind == b"P ":
                        self._show(content)
                    elif kind == b"E ":
                        return self._end(content), position
                    else:
                        raise DeviceError(
                            f"{self.host}: the login shell writes text of its own ({text[:60]!r}); make it silent without a terminal"
                        )
                code = process.wait()
                if self._stop.is_set():
                    raise DeviceError(f"{self.host}: interrupted")
                raise self._ssh.failure(code, errors) if code else ssh.ConnectionLost(f"{self.host}: the connection ended early")
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()

    def _show(self, content: bytes) -> None:
        note = _object(content)
        left, text = note.get("left_s"), str(note.get("message", ""))[:80]
        self._share = min(max(float(note.get("share", 0.0)), 0.0), 1.0)
        self.progress(self.host, self._share, text if left is None else f"{text}, about {spoken(float(left))} left")

    def _end(self, content: bytes) -> dict[str, Any]:
        ended = _object(content)
        if not isinstance(ended.get("code"), int):
            raise DeviceError(f"{self.host}: the board ended with {content[:80]!r}, which is no end")
        # It goes to a terminal: nothing that a terminal would obey.
        text = "".join(c for c in str(ended.get("text", ""))[:10_000] if c.isprintable() or c == "\n")
        return {"code": ended["code"], "text": text}


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DeviceError(f"the board sent {content[:80]!r}, which is not JSON") from error
    if not isinstance(found, dict):
        raise DeviceError(f"the board sent {content[:80]!r}, which is no JSON object")
    return found
