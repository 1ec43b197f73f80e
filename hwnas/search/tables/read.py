"""Reading recorded tables: npz and CSV files, and the layouts in which published tables come."""

from __future__ import annotations

import csv
import hashlib
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.search.tables.cell import Cell
from hwnas.search.tables.table import Table, is_number, make_table

#: Larger files are refused: a table is read whole.
MAX_BYTES = 1 << 30

Arrays = Mapping[str, Any]

#: The edges of a NAS-Bench-201 cell in the order of its tokens (Dong and Yang, ICLR 2020).
NB201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def read_table(path: str | Path) -> Table:
    """A table from an `.npz` or `.csv` file.

    CSV: a header, then one line per architecture; columns called `accuracy`, `macs`, `params`, or with a unit at the end of the name
    (`latency_ms`) are numbers, all others are choices. npz: `archs` of shape `(n, n_choices)` with the names in `choices`, and every other
    array of shape `(n,)` is a number; or the layouts of `LAYOUTS`. Pickled arrays are not read.
    Raises InputError, in one line, for whatever is wrong with the file.
    """
    file = Path(path)
    readers: dict[str, Callable[[Path, str], Table]] = {".npz": _npz, ".csv": _csv}
    if file.suffix not in readers:
        raise InputError(f"a table is an .npz or a .csv file, got {file}")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{file} is larger than {MAX_BYTES >> 30} GiB")
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return replace(readers[file.suffix](file, digest), name=file.stem)
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error


def _csv(file: Path, digest: str) -> Table:
    with file.open(newline="", encoding="utf-8", errors="replace") as opened:
        lines = list(csv.reader(opened))
    head = lines[0] if lines else []
    if not head or len(set(head)) != len(head) or not all(head):
        raise InputError(f"{file}: the first line must name every column once")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(head):
            raise InputError(f"{file} line {number}: {len(line)} fields, but the header names {len(head)}")
    cells = {name: [line[i] for line in lines[1:]] for i, name in enumerate(head)}
    numbers = {name: {"": [_number(text, file, i, name) for i, text in enumerate(cells[name], 2)]} for name in head if is_number(name)}
    return make_table(file.name, {name: _choice(cells[name]) for name in head if not is_number(name)}, numbers, digest)


def _number(text: str, file: Path, line: int, name: str) -> float:
    """A field as a number; an empty one was not recorded."""
    try:
        return float(text) if text.strip() else math.nan
    except ValueError as error:
        raise InputError(f"{file} line {line}: {name} is not a number: {text[:40]!r}") from error


def _choice(texts: list[str]) -> list[Any]:
    """The values of a choice: whole numbers where all are, then numbers, else text."""
    for kind in (int, float):
        try:
            return [kind(text) for text in texts]
        except ValueError:
            continue
    return texts


def _npz(file: Path, digest: str) -> Table:
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{file} is not an .npz file of plain arrays: {' '.join(str(error).split())[:80]}") from error
    for needed, read in LAYOUTS.items():
        if needed <= arrays.keys():
            try:
                return read(file.name, arrays, digest)
            except (ValueError, IndexError, TypeError, KeyError) as error:
                raise InputError(f"{file}: its arrays do not fit together: {' '.join(str(error).split())[:100]}") from error
    wanted = "; or ".join(", ".join(sorted(names)) for names in LAYOUTS)
    raise InputError(f"{file} holds {', '.join(sorted(arrays))[:100]}; a table needs {wanted}")


def _plain(name: str, arrays: Arrays, digest: str) -> Table:
    archs, names = arrays["archs"], [str(choice) for choice in arrays["choices"]]
    if archs.ndim != 2 or archs.shape[1] != len(names):
        raise InputError(f"{name}: archs must have shape (n, {len(names)}), one column per choice, got {archs.shape}")
    values = {choice: archs[:, i] for i, choice in enumerate(names)}
    return make_table(name, values, {key: {"": array} for key, array in arrays.items() if is_number(key)}, digest)


def _devices(arrays: Arrays) -> dict[str, dict[str, Any]]:
    latency = arrays["latency_ms"]
    return {"latency_ms": {str(device): latency[:, i] for i, device in enumerate(arrays["devices"])}}


def _nb201(name: str, arrays: Arrays, digest: str) -> Table:
    operations, archs = [str(op) for op in arrays["ops"]], arrays["arch_ops"]
    values = {f"edge{end}.{start}": np.array(operations)[archs[:, i]] for i, (start, end) in enumerate(NB201_EDGES)}
    accuracy = {str(data): arrays["test_acc"][:, i].astype(np.float64) / 100 for i, data in enumerate(arrays["acc_datasets"])}
    table = make_table(name, values, {"accuracy": accuracy, **_devices(arrays)}, digest)
    cell = Cell(NB201_EDGES, tuple(sorted(operations)))
    return replace(table, cell=cell) if all(choice.values == cell.operations for choice in table.choices) else table


def _fbnet(name: str, arrays: Arrays, digest: str) -> Table:
    blocks = np.array([str(op) for op in arrays["ops"]])
    values = {f"layer{i + 1}": blocks[arrays["arch_ops"][:, i]] for i in range(arrays["arch_ops"].shape[1])}
    return make_table(name, values, _devices(arrays), digest)


def _ofa(name: str, arrays: Arrays, digest: str) -> Table:
    kernels, expansions, depths = arrays["ks"], arrays["e"], arrays["d"]
    values: dict[str, Any] = {}
    exists: dict[str, tuple[str, int]] = {}
    per_stage = kernels.shape[1] // depths.shape[1]
    for stage in range(depths.shape[1]):
        values[f"stage{stage + 1}.depth"] = depths[:, stage]
        for block in range(per_stage):
            column, title = stage * per_stage + block, f"stage{stage + 1}.block{block + 1}"
            values |= {f"{title}.kernel": kernels[:, column], f"{title}.expansion": expansions[:, column]}
            if block >= depths[:, stage].min():
                exists |= {f"{title}.{kind}": (f"stage{stage + 1}.depth", block + 1) for kind in ("kernel", "expansion")}
    numbers = {"accuracy": {"": arrays["top1"].astype(np.float64) / 100}, "macs": {"": arrays["macs"]}, "params": {"": arrays["params"]}}
    return make_table(name, values, numbers, digest, exists)


#: Names of arrays by which a layout is known -> its reader; the first that fits is taken.
LAYOUTS: dict[frozenset[str], Callable[[str, Arrays, str], Table]] = {
    frozenset({"archs", "choices"}): _plain,
    frozenset({"ops", "arch_ops", "test_acc", "acc_datasets", "latency_ms", "devices"}): _nb201,
    frozenset({"ops", "arch_ops", "latency_ms", "devices"}): _fbnet,
    frozenset({"ks", "e", "d", "top1", "macs", "params"}): _ofa,
}
