"""Lookup tables of blocks as other projects publish them: Once-for-All / ProxylessNAS (YAML or JSON), FBNet (JSON).

Assumed of the first: `{"expanded_conv-input:112x112x16-output:56x56x24-expand:6-kernel:3-stride:2-idskip:0": {"mean": 1.2, "count": 50,
"std": 0.1}, ...}`, or a bare number in place of the inner mapping, in milliseconds; `std` may be missing. Assumed of the second:
`{operator: {shape: microseconds}}`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError
from device_profiles.importers.table import Column, PublishedTable, read_bytes

#: YAML is read slowly; published tables have less than one megabyte.
_MAX_YAML_BYTES = 16 << 20


def read_ofa(path: str | os.PathLike[str]) -> PublishedTable:
    """A table of the Once-for-All kind: one entry per block, column `latency_ms` with the published spread.

    The fields of a key are in `details`: `{"block": "expanded_conv", "input": (112, 112, 16), "expand": 6, ...}`, and `count` where the
    table gives it. Raises InputError, in one line, for a file of another layout; reading YAML needs the package pyyaml.
    """
    try:
        return _ofa(str(Path(path).name), _mapping("the file", load_table(path)))
    except InputError as error:
        raise _in_file(path, error) from error


def read_fbnet(path: str | os.PathLike[str]) -> PublishedTable:
    """A table of the FBNet kind: one entry per operator and shape, key `operator/shape`, column `latency_ms`; no spread is given.

    Raises InputError, in one line, for a file of another layout.
    """
    try:
        content = _mapping("the file", load_table(path))
        entries = {(op, shape): us for op, shapes in content.items() for shape, us in _mapping(op, shapes).items()}
        if not entries:
            raise InputError("it has no entries")
        column = Column.of([us / 1e3 if type(us) in (int, float) else us for us in entries.values()])
        details = tuple({"block": op, "shape": shape} for op, shape in entries)
        return PublishedTable(str(Path(path).name), tuple(f"{op}/{shape}" for op, shape in entries), {"latency_ms": column}, details)
    except (InputError, OverflowError) as error:
        raise _in_file(path, error) from error


def _in_file(path: str | os.PathLike[str], error: Exception) -> InputError:
    text = " ".join(str(error).split())[:300]
    return InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}")


def _ofa(name: str, content: dict[str, Any]) -> PublishedTable:
    means, deviations, details = [], [], []
    for key, entry in content.items():
        numbers = entry if isinstance(entry, dict) else {"mean": entry}
        if "mean" not in numbers:
            raise InputError(f"{key[:80]!r} has no 'mean'")
        means.append(numbers["mean"])
        deviations.append(numbers.get("std"))
        details.append({**_fields(key), **({"count": numbers["count"]} if type(numbers.get("count")) is int else {})})
    if not means:
        raise InputError("it has no entries")
    spread = [std for std in deviations if std is not None]
    if spread and len(spread) < len(means):
        raise InputError("some entries have a 'std' and some have none")
    column = Column.of(means, spread or None)
    return PublishedTable(name, tuple(content), {"latency_ms": column}, tuple(details))


def _fields(key: str) -> dict[str, Any]:
    """The fields of a key: numbers, shapes as tuples of numbers, texts as they are."""
    block, *parts = key.split("-")
    fields: dict[str, Any] = {"block": block}
    for part in parts:
        name, colon, value = part.partition(":")
        if not colon:
            raise InputError(f"{key[:80]!r} is no key such as 'Conv-input:224x224x3-output:112x112x32'")
        sizes = value.split("x")
        if all(size.isascii() and size.isdigit() and len(size) < 10 for size in sizes):
            fields[name] = int(value) if len(sizes) == 1 else tuple(map(int, sizes))
        else:
            fields[name] = value
    return fields


def load_table(path: str | os.PathLike[str]) -> Any:
    """The content of a YAML or JSON file: plain data. Raises InputError when it cannot be read as what its name says."""
    data = read_bytes(path)
    try:
        return _yaml(data) if Path(path).suffix in (".yaml", ".yml") else json.loads(data)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as {'YAML' if Path(path).suffix in ('.yaml', '.yml') else 'JSON'}: {str(error)[:100]}") from error


def _mapping(name: str, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{name[:80]!r} is no mapping from names to entries")
    return content


def _yaml(data: bytes) -> Any:
    """The content of a YAML file, by the loader that makes nothing but plain data."""
    if len(data) > _MAX_YAML_BYTES:
        raise InputError(f"more than {_MAX_YAML_BYTES >> 20} MB of YAML are not read; convert it to JSON")
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise InputError("reading YAML needs pyyaml: pip install pyyaml; or convert the table to JSON") from error
    try:
        return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise InputError(f"cannot be read as YAML: {' '.join(str(error).split())[:100]}") from error
