"""`DeviceProfile`: the measurements of one device as JSON Lines, append-only, safe to kill at any byte."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError, InputError
from device_profiles.fingerprint import device_name
from device_profiles.operators import Operator
from device_profiles.protocol import estimate
from device_profiles.quantity import Quantity

SCHEMA = 1
TYPES = ("header", "operator", "network", "canary")

#: A line longer than this is no measurement.
MAX_LINE = 64 << 20


@dataclass(frozen=True)
class OperatorMeasurement:
    """What one executed operator costs.

    `samples_ms`: shape `(rounds, 3)`, per operator: the fastest window, the median and the 95th percentile of each block, as they were
    measured; `latency_ms` is corrected for drift.
    """

    key: str
    operator: Operator
    latency_ms: Quantity
    median_ms: float
    p95_ms: float
    samples_ms: npt.NDArray[np.float64]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.key}: {_text(self.latency_ms)}{_noted(self.warnings)}>"


@dataclass(frozen=True)
class NetworkMeasurement:
    """What one whole network costs, called as a user calls it; `operators` are the distinct executed operators with their counts."""

    key: str
    name: str
    operators: list[tuple[Operator, int]]
    macs: int
    params: int
    peak_activation_bytes: float
    latency_ms: Quantity
    median_ms: float
    p95_ms: float
    samples_ms: npt.NDArray[np.float64]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.name}: {_text(self.latency_ms)}, {self.macs / 1e6:.3g} M MACs{_noted(self.warnings)}>"


def _text(value: Quantity) -> str:
    return f"{value.value:.4g} ms [{value.low:.4g}, {value.high:.4g}]"


def _noted(notes: tuple[str, ...]) -> str:
    return f"; WARNING {'; '.join(notes)}" if notes else ""


@dataclass
class DeviceProfile:
    """All measurements of one device. Read one with `DeviceProfile.read(path)`."""

    header: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    sha256: str = ""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> DeviceProfile:
        """Reads a profile; a last line that a kill cut short is left out.

        Anything else that is wrong raises InputError with its line number.
        """
        source = Path(path)
        try:
            data = source.read_bytes()
        except OSError as error:
            raise InputError(f"{source}: cannot be read: {error.strerror or error}") from error
        complete = data[: data.rfind(b"\n") + 1]
        if not complete:
            raise InputError(f"{source}: no device profile: it has no complete line")
        lines = list(_parse(source, complete))
        header = _header(source, lines[0])
        keys = [line["key"] for line in lines[1:]]
        if len(set(keys)) != len(keys):
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise InputError(f"{source}: {twice!r} occurs twice; a measurement occurs once per campaign")
        return cls(header, lines[1:], hashlib.sha256(complete).hexdigest())

    @property
    def device_name(self) -> str:
        """The device: hardware, runtime and settings, such as `xeon-2.80ghz/onnxruntime/1t`."""
        return device_name(self.header["device"], self.header["runtime"])

    def operators(self) -> list[OperatorMeasurement]:
        """The operators that were measured."""
        return [_operator(line) for line in self._good("operator")]

    def networks(self) -> list[NetworkMeasurement]:
        """The whole networks that were measured."""
        return [_network(line) for line in self._good("network")]

    def canary_windows(self) -> dict[str, list[float]]:
        """The fastest windows in ms of every canary over all campaigns on this file, by its key without the campaign."""
        found: dict[str, list[float]] = {}
        for line in self.lines:
            if line["type"] == "canary":
                found.setdefault(line["key"].rpartition("/")[0], []).extend(float(row[0]) for row in line["samples_ms"])
        return found

    def canaries(self) -> dict[str, Quantity]:
        """What the canaries take on this device at its best: what tells later whether it still is as it was."""
        return {key: estimate([[v, v, v] for v in windows]) for key, windows in self.canary_windows().items()}

    def failures(self) -> list[dict[str, Any]]:
        """The lines of operators and networks that could not be measured, with their errors."""
        return [line for line in self.lines if line.get("status") == "failed"]

    def _good(self, kind: str) -> Iterator[dict[str, Any]]:
        return (line for line in self.lines if line["type"] == kind and line.get("status") == "ok")

    def __repr__(self) -> str:
        kinds = [line["type"] for line in self.lines]
        return (
            f"<DeviceProfile {self.device_name}: {kinds.count('operator')} operators, {kinds.count('network')} networks, "
            f"{len(self.failures())} failed, {sum(bool(line.get('warnings')) for line in self.lines)} with warnings>"
        )


def _parse(source: Path, data: bytes) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(data.splitlines(), 1):
        try:
            line = json.loads(text) if len(text) <= MAX_LINE else None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}, line {number}: not JSON ({error})") from error
        if not isinstance(line, dict) or line.get("type") not in TYPES:
            raise InputError(f"{source}, line {number}: not a line of a device profile (type must be one of {', '.join(TYPES)})")
        if (line["type"] == "header") != (number == 1):
            raise InputError(f"{source}, line {number}: the header, and only the header, is the first line")
        if number > 1 and not isinstance(line.get("key"), str):
            raise InputError(f"{source}, line {number}: a measurement needs a key")
        try:
            _check(line)
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{source}, line {number}: {error}") from error
        yield line


def _check(line: dict[str, Any]) -> None:
    if line["type"] == "canary" and not (_samples(line) > 0).all():
        raise InputError("the times of a canary must be positive")
    if line["type"] in ("operator", "network") and line.get("status") == "ok":
        measurement = _operator(line) if line["type"] == "operator" else _network(line)
        if measurement.latency_ms.value <= 0 or not np.isfinite(measurement.samples_ms).all():
            raise InputError("a measured latency must be positive and finite")


def _header(source: Path, line: dict[str, Any]) -> dict[str, Any]:
    schema = line.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise InputError(f"{source}: profile schema {schema!r} is newer than this program reads ({SCHEMA}); upgrade hwnas")
    for name in ("device", "runtime", "protocol"):
        if not isinstance(line.get(name), dict):
            raise InputError(f"{source}: the header lacks {name!r}")
    return line


def _samples(line: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    samples = np.asarray(line["samples_ms"], dtype=np.float64)
    if samples.ndim != 2 or samples.shape[1] != 3:
        raise InputError(f"samples_ms must be rows of three numbers, got shape {samples.shape}")
    return samples


def _operator(line: Mapping[str, Any]) -> OperatorMeasurement:
    return OperatorMeasurement(
        line["key"], Operator.from_json(line["operator"]), Quantity.from_json(line["latency_ms"]),
        float(line["median_ms"]), float(line["p95_ms"]), _samples(line), tuple(line.get("warnings", ())),
    )  # fmt: skip


def _network(line: Mapping[str, Any]) -> NetworkMeasurement:
    return NetworkMeasurement(
        line["key"], str(line["name"]), [(Operator.from_json(op), int(count)) for op, count in line["operators"]],
        int(line["macs"]), int(line["params"]), float(line["peak_activation_bytes"]), Quantity.from_json(line["latency_ms"]),
        float(line["median_ms"]), float(line["p95_ms"]), _samples(line), tuple(line.get("warnings", ())),
    )  # fmt: skip


class Appender:
    """Appends whole lines to a file that only one process may write; what a kill cut short is removed on opening.

    Raises InputError when the file cannot be written and DeviceError when another process writes it.
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
        data = path.read_bytes()
        self.lines = _complete_lines(data)
        keep = sum(len(line) + 1 for line in self.lines)
        if keep < len(data):
            os.ftruncate(self._fd, keep)

    def append(self, line: Mapping[str, Any]) -> None:
        """Writes one line whole. Raises DeviceError when the disk is full."""
        text = json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        size = os.fstat(self._fd).st_size
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


def _complete_lines(data: bytes) -> list[bytes]:
    """The lines that were written whole: up to the last newline, less lines at the end that are not JSON."""
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    while lines:
        try:
            json.loads(lines[-1])
            break
        except ValueError:
            lines.pop()
    return lines
