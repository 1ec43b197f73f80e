"""`DeviceProfile`: the measurements of one device as JSON Lines, append-only, safe to kill at any byte."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles import extras
from device_profiles.append import Appender
from device_profiles.errors import InputError
from device_profiles.fingerprint import device_name
from device_profiles.operators import Operator
from device_profiles.protocol import estimate
from device_profiles.quantity import Quantity
from device_profiles.seal import MAX_BYTES, unseal

SCHEMA = 1
TYPES = ("header", "operator", "network", "canary", *extras.TYPES)

#: Longer than this (eleven days) nobody measures; an imported or damaged number above it is no latency.
MAX_MS = 1e9


@dataclass(frozen=True)
class OperatorMeasurement:
    """What one executed operator costs.

    `samples_ms`: shape `(rounds, 3 or 5)`, per operator: the fastest window, the median and the 95th percentile of each block, as they were
    measured, and where it is known what its quiet calls took and how many they were; `latency_ms` is corrected for drift.
    """

    key: str
    operator: Operator
    latency_ms: Quantity
    median_ms: float
    p95_ms: float
    samples_ms: npt.NDArray[np.float64]
    warnings: tuple[str, ...] = ()
    energy_mj: Quantity | None = None

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
    energy_mj: Quantity | None = None
    memory_mb: Quantity | None = None

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
        """Reads a profile (`.jsonl`, or packed as `.jsonl.gz`); a last line that a kill cut short is left out.

        Anything else that is wrong raises InputError with its line number: a line that is not what was written, a number that cannot be.
        """
        source = Path(path)
        data = _bytes(source)
        complete = data[: data.rfind(b"\n") + 1]
        if not complete:
            raise InputError(f"{source}: no device profile: it has no complete line")
        lines = list(_parse(source, complete))
        keys = Counter(line["key"] for line in lines[1:])
        twice = next((key for key, count in keys.items() if count > 1), None)
        if twice is not None:
            raise InputError(f"{source}: {twice[:80]!r} occurs twice; a measurement occurs once per campaign")
        return cls(lines[0], lines[1:], hashlib.sha256(complete).hexdigest())

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the profile to a new file. Raises InputError when there is a profile already."""
        with Appender(Path(path)) as appender:
            if appender.lines:
                raise InputError(f"{path}: there is a profile already; choose another name")
            for line in (self.header, *self.lines):
                appender.append(line)
            appender.sync()

    @property
    def device_name(self) -> str:
        """The device: hardware, runtime and settings, such as `xeon-2.80ghz/onnxruntime/1t`."""
        return device_name(self.header["device"], self.header["runtime"])

    @property
    def functional(self) -> bool:
        """Whether it was made on an emulated processor only to try the way: its times mean nothing."""
        return bool(self.header.get("functional", False))

    def refuse_functional(self) -> None:
        """Raises InputError for a profile whose times mean nothing; call it before using them."""
        if self.functional or self.header["device"].get("emulated"):
            raise InputError("this profile was made on an emulated processor to try the way; its times mean nothing: measure on the board")
        if self.header.get("origin", "measured") != "measured":
            raise InputError("the times of this profile were published, not measured by this protocol; measure the device: hwnas profile")

    def operators(self) -> list[OperatorMeasurement]:
        """The operators that were measured."""
        energy = extras.quantities(self.lines, "energy_mj")
        return [replace(m, energy_mj=energy.get(m.key)) for m in map(_operator, self._good("operator"))]

    def networks(self) -> list[NetworkMeasurement]:
        """The whole networks that were measured."""
        energy, memory = (extras.quantities(self.lines, name) for name in ("energy_mj", "memory_mb"))
        return [replace(m, energy_mj=energy.get(m.key), memory_mb=memory.get(m.key)) for m in map(_network, self._good("network"))]

    def canary_blocks(self) -> dict[str, list[list[float]]]:
        """The blocks of every canary over all campaigns on this file, by its key without the campaign: rows as in `samples_ms`."""
        found: dict[str, list[list[float]]] = {}
        for line in self.lines:
            if line["type"] == "canary":
                found.setdefault(line["key"].rpartition("/")[0], []).extend(_samples(line).tolist())
        narrowest = {key: min(map(len, rows)) for key, rows in found.items()}
        return {key: [row[: narrowest[key]] for row in rows] for key, rows in found.items()}

    def canaries(self) -> dict[str, Quantity]:
        """What the canaries take on this device at its best: what tells later whether it still is as it was."""
        return {key: estimate(blocks) for key, blocks in self.canary_blocks().items()}

    def failures(self) -> list[dict[str, Any]]:
        """The lines of operators and networks that could not be measured, with their errors."""
        return [line for line in self.lines if line.get("status") == "failed" and line["type"] not in extras.TYPES]

    def _good(self, kind: str) -> Iterator[dict[str, Any]]:
        return (line for line in self.lines if line["type"] == kind and line.get("status") == "ok")

    def __repr__(self) -> str:
        kinds = [line["type"] for line in self.lines]
        return (
            f"<DeviceProfile {self.device_name}: {kinds.count('operator')} operators, {kinds.count('network')} networks, "
            f"{len(self.failures())} failed, {sum(bool(line.get('warnings')) for line in self.lines)} with warnings>"
        )


def _bytes(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            unpacked = gzip.GzipFile(fileobj=file) if source.suffix == ".gz" else file
            data = unpacked.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{source}: cannot be unpacked: it is damaged or no gzip file") from error
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{source}: more than {MAX_BYTES >> 20} MB is too much for a device profile")
    return data


def _parse(source: Path, data: bytes) -> Iterator[dict[str, Any]]:
    start, number = 0, 0
    while start < len(data):
        end, number = data.index(b"\n", start), number + 1
        try:
            line = unseal(data[start:end])
            _check(line, number)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            what = f"lacks {error}" if type(error) is KeyError else " ".join(str(error).split())[:200]
            raise InputError(f"{source}, line {number}: {what}") from error
        yield line
        start = end + 1


def _check(line: dict[str, Any], number: int) -> None:
    kind = line.get("type")
    if kind not in TYPES:
        raise InputError(f"not a line of a device profile (type must be one of {', '.join(TYPES)})")
    if (kind == "header") != (number == 1):
        raise InputError("the header, and only the header, is the first line")
    if number == 1:
        _check_header(line)
    elif not isinstance(line.get("key"), str):
        raise InputError("a measurement needs a key")
    elif kind in extras.TYPES:
        extras.check(line)
    elif kind == "canary" and not (_samples(line)[:, :3] > 0).all():
        raise InputError("the times of a canary must be positive")
    elif kind != "canary" and line.get("status") == "ok":
        _check_measurement(line)


def _check_header(line: dict[str, Any]) -> None:
    schema = line.get("schema")
    if type(schema) is not int or schema > SCHEMA:
        raise InputError(f"profile schema {str(schema)[:20]!r} is newer than this program reads ({SCHEMA}); upgrade hwnas")
    if schema < 1:
        raise InputError(f"there is no profile schema {schema}; this program reads 1 to {SCHEMA}")
    for name in ("device", "runtime", "protocol"):
        if not isinstance(line.get(name), dict):
            raise InputError(f"the header lacks {name!r}")


def _check_measurement(line: dict[str, Any]) -> None:
    """Numbers that a device cannot have given are refused, however well the line is sealed."""
    measurement = _operator(line) if line["type"] == "operator" else _network(line)
    latency = measurement.latency_ms
    if not (latency.value > 0 and latency.low >= 0 and latency.high <= MAX_MS):
        raise InputError("a measured latency must be positive and finite")
    if not all(0 < value <= MAX_MS for value in (measurement.median_ms, measurement.p95_ms)):
        raise InputError("median_ms and p95_ms must be positive and finite")
    if not all(isinstance(note, str) for note in measurement.warnings):
        raise InputError("warnings must be texts")
    for name in ("copies", "floor_ms", "drift"):
        value = line.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_MS:
            raise InputError(f"{name} must be a number from 0, got {str(value)[:40]}")
    if isinstance(measurement, NetworkMeasurement):
        counts = [line["macs"], line["params"], *(count for _, count in line["operators"])]
        if not all(type(count) is int and 0 <= count < 2**60 for count in counts) or not 0 <= measurement.peak_activation_bytes < 2**60:
            raise InputError("macs, params, peak_activation_bytes and the counts of operators must be whole numbers from 0")


def _samples(line: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    samples = np.asarray(line["samples_ms"], dtype=np.float64)
    if samples.ndim != 2 or samples.shape[1] not in (3, 5):
        raise InputError(f"samples_ms must be rows of three or five numbers, got shape {samples.shape}")
    if not ((samples >= 0) & (samples <= MAX_MS)).all():
        raise InputError("samples_ms must be finite numbers from 0")
    return samples


def _operator(line: Mapping[str, Any]) -> OperatorMeasurement:
    return OperatorMeasurement(
        line["key"], Operator.from_json(line["operator"]), Quantity.from_json(line["latency_ms"]),
        float(line["median_ms"]), float(line["p95_ms"]), _samples(line), tuple(line.get("warnings", ())),
    )  # fmt: skip


@lru_cache(1 << 14)
def _shared(text: str) -> Operator:
    """Networks of one space hold the same operators again and again: each is made once."""
    return Operator.from_json(json.loads(text))


def _network(line: Mapping[str, Any]) -> NetworkMeasurement:
    return NetworkMeasurement(
        line["key"], str(line["name"]), [(_shared(json.dumps(op)), int(count)) for op, count in line["operators"]],
        int(line["macs"]), int(line["params"]), float(line["peak_activation_bytes"]), Quantity.from_json(line["latency_ms"]),
        float(line["median_ms"]), float(line["p95_ms"]), _samples(line), tuple(line.get("warnings", ())),
    )  # fmt: skip
