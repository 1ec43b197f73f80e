"""Any file of published numbers as a profile, so that it can be kept and read beside measured ones.

What is a kernel becomes a line of an operator (onnxruntime's profiler). What is a block, a cell or a whole network of somebody's space has
no graph that could be priced: it becomes a line of type `published`, see `device_profiles.extras`. No predictor is fitted on either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError, unknown
from device_profiles.importers.hwnasbench import read_hwnasbench
from device_profiles.importers.lookup import load_table, read_fbnet, read_ofa
from device_profiles.importers.onnxruntime_profile import read_onnxruntime_profile
from device_profiles.importers.table import PublishedTable, read_bytes
from device_profiles.profile import SCHEMA, DeviceProfile
from device_profiles.quantity import Quantity

#: The formats that are read, each with one line about it.
FORMATS = {
    "hwnasbench": "HW-NAS-Bench-v1_0.pickle: NAS-Bench-201 cells and FBNet blocks on up to six devices",
    "ofa": "a table of blocks in milliseconds, as Once-for-All and ProxylessNAS publish them (YAML or JSON)",
    "fbnet": "a table {operator: {shape: microseconds}} (JSON)",
    "onnxruntime": "the JSON that onnxruntime's own profiler writes",
}


def read_published(path: str | os.PathLike[str], form: str | None = None, device: str | None = None, threads: int = 1) -> DeviceProfile:
    """The profile of published numbers in a file of one of the `FORMATS`; the format is found out when it is None.

    `device` names what the numbers were measured on (the name of the file, when None); `threads` belongs to a profile of onnxruntime.
    Raises InputError, in one line, for a file that cannot be read or is of another format.
    """
    if form is not None and form not in FORMATS:
        raise unknown("format", form, FORMATS)
    form, source = form or detect(path), Path(path)
    if form == "onnxruntime":
        return read_onnxruntime_profile(source, device=device or source.stem, threads=threads)
    readers = {"ofa": read_ofa, "fbnet": read_fbnet}
    tables = {"": readers[form](source)} if form in readers else read_hwnasbench(source)
    header = {
        "type": "header", "schema": SCHEMA, "origin": "published", "source": source.name, "format": form,
        "device": {"cpu": device or source.stem}, "runtime": {"name": "published", "version": None, "threads": None}, "protocol": {},
    }  # fmt: skip
    return DeviceProfile(header, [line for name, table in tables.items() for line in _lines(name, table)])


def detect(path: str | os.PathLike[str]) -> str:
    """The format of a file, from its first byte and its layout. Raises InputError when it is none of those that are read."""
    if read_bytes(path)[:1] == b"\x80" or Path(path).suffix in (".pickle", ".pkl"):
        return "hwnasbench"
    try:
        content: Any = load_table(path)
    except InputError as error:
        raise InputError(f"{path}: none of the formats {', '.join(FORMATS)}: {error}") from error
    if isinstance(content, list):
        return "onnxruntime"
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    if isinstance(first, dict):
        return "ofa" if "mean" in first else "fbnet"
    if isinstance(first, int | float):
        return "ofa"
    raise InputError(f"{path}: its layout is none of the formats {', '.join(FORMATS)}; say which with --format")


def published_costs(profile: DeviceProfile) -> dict[str, dict[str, Quantity]]:
    """What a profile holds of published costs: entry -> name of the cost, such as `raspi4.latency_ms` -> the number."""
    return {
        line["key"]: {name: Quantity.from_json(cost) for name, cost in line["costs"].items()}
        for line in profile.lines
        if line["type"] == "published"
    }


def _lines(name: str, table: PublishedTable) -> Iterable[dict[str, Any]]:
    for key, details in zip(table, table.details, strict=True):
        costs = {column: table.quantity(key, column).to_json() for column in table.columns}
        line = {"type": "published", "key": f"{name}/{key}" if name else key, "status": "ok", "costs": costs}
        yield {**line, "details": _plain(details)} if details else line


def _plain(details: Mapping[str, Any]) -> Any:
    """As JSON has it: tuples are lists."""
    return json.loads(json.dumps(details))
