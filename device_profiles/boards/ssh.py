"""Commands on another machine through the user's own `ssh`: their keys, their configuration, their known hosts."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from device_profiles.errors import DeviceError, InputError

#: What ssh returns when it is ssh itself that failed, and what a shell returns for a program that is not there.
FAILED, NOT_FOUND = 255, 127

#: Letters, digits, and what names, addresses and users are written with; it may not begin like an option.
_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:%@\[\]-]*", re.ASCII)

#: Nothing is ever asked; a connection that is silent for a minute is given up.
_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4", "ClearAllForwardings=yes", "ForwardX11=no",
    "RequestTTY=no",
)  # fmt: skip


class ConnectionLost(DeviceError):
    """The machine could not be reached or the connection broke: trying again may help."""


def check_host(host: str) -> str:
    """The host as it is. Raises InputError for anything that ssh or a shell could take for something else."""
    if len(host) > 255 or _HOST.fullmatch(host) is None or "@-" in host:
        raise InputError(f"not a host: {host[:80]!r}; write user@board or a name from ~/.ssh/config (ports and keys belong there)")
    return host


class Ssh:
    """The `ssh` program for one host; `config` replaces ~/.ssh/config."""

    def __init__(self, host: str, config: Path | None = None) -> None:
        self.host = check_host(host)
        chosen = ["-F", str(config)] if config is not None else []
        self._prefix = ["ssh", *chosen, *(part for option in _OPTIONS for part in ("-o", option)), "--", self.host]

    def start(self, script: str, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """A POSIX shell script on the host, with its standard input and output as pipes."""
        try:
            # The shell at login may be any; what it is given is one quoted word for `sh`.
            command = [*self._prefix, f"exec sh -c {shlex.quote(script)}"]
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        except FileNotFoundError as error:
            raise DeviceError("there is no `ssh` program here: install the OpenSSH client") from error

    def run(self, script: str, data: bytes = b"", timeout_s: float = 600.0) -> str:
        """The output of a script that is given `data`. Raises DeviceError when it fails, ConnectionLost when ssh does."""
        with tempfile.TemporaryFile() as errors:
            process = self.start(script, errors)
            try:
                output, _ = process.communicate(data, timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                raise ConnectionLost(f"{self.host}: no answer within {timeout_s:g} s") from error
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if process.returncode:
                raise self.failure(process.returncode, errors)
        return output.decode("utf-8", "replace").strip()

    def failure(self, code: int, errors: IO[bytes]) -> DeviceError:
        """What a command that ended with `code` and wrote `errors` says to the user."""
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace")
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        last = "".join(c for c in (lines[-1] if lines else f"exit status {code}") if c.isprintable())[:300]
        if code != FAILED:
            return DeviceError(f"{self.host}: {last.removeprefix('hwnas: ')}")
        if "Permission denied" in text or "Too many authentication failures" in text:
            return DeviceError(
                f"{self.host}: ssh is not let in without a password; set up a key: ssh-keygen -t ed25519 && ssh-copy-id {self.host}"
            )
        if "verification failed" in text:
            return DeviceError(f"{self.host}: its host key is unknown or has changed; look at it once by hand: ssh {self.host}")
        if "Could not resolve" in text or "Bad configuration" in text or "Can't open user config" in text:
            return DeviceError(f"{self.host}: {last}")
        return ConnectionLost(f"{self.host}: the connection failed: {last}")


def words(*arguments: str) -> str:
    """Arguments as one text for a shell, each quoted."""
    return shlex.join(arguments)


def python(arguments: Sequence[str]) -> str:
    """A script that runs Python on the board: the environment that hwnas told the user to make, or else the system's own."""
    rest = words(*arguments)
    return (
        'p="$HOME/.cache/hwnas/venv/bin/python3"; [ -x "$p" ] || p=$(command -v python3) || '
        '{ echo "there is no python3: install Python 3.10 or newer, with numpy and onnxruntime" >&2; exit 3; }; '
        f'cd "$HOME/.cache/hwnas" && exec "$p" {rest}'
    )
