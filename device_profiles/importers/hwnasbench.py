"""HW-NAS-Bench: published costs of NAS-Bench-201 cells and FBNet blocks (Li et al., ICLR 2021, github.com/GATECH-EIC/HW-NAS-Bench).

Assumed of `HW-NAS-Bench-v1_0.pickle`, as its own query functions read it: a dictionary with

- `nasbench201`: `{dataset: {metric: [one number per cell], "config": [...]}}`, cells in the order of NAS-Bench-201;
- `fbnet`: `{metric: {block: number}}`, blocks such as `ConvBlock_H112_W112_Cin16_Cout24_exp6_kernel3_stride2_group1`; the cost of a network
  is the sum over its blocks.

Metrics are called `raspi4_latency` (milliseconds) or `edgegpu_energy` (millijoules).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from device_profiles.errors import InputError
from device_profiles.importers.plain_pickle import read_plain_pickle
from device_profiles.importers.table import Column, PublishedTable, read_bytes

#: The unit of each metric, by how its name ends.
_UNITS = {"_latency": "latency_ms", "_energy": "energy_mj", "_arithmetic_intensity": "arithmetic_intensity"}

#: More cells than NAS-Bench-201 has (15,625) by far.
_MAX_CELLS = 1_000_000


def read_hwnasbench(path: str | os.PathLike[str]) -> dict[str, PublishedTable]:
    """The tables by name: `nasbench201/<data set>`, where a key is the index of a cell ("0", "1", ...), and `fbnet/<device>`, where it is a
    block, whose sizes are in `details`.

    Columns are called `<device>.latency_ms`, `<device>.energy_mj` and `eyeriss.arithmetic_intensity`. The source gives no spread.
    Raises InputError, in one line, for a file of another layout or with anything in it but plain data.
    """
    try:
        content = read_plain_pickle(read_bytes(path))
        datasets = content.get("nasbench201") if isinstance(content, dict) else None
        if not isinstance(datasets, dict) or not datasets:
            raise InputError("it has no table called 'nasbench201'; HW-NAS-Bench-v1_0.pickle is wanted")
        tables = {f"nasbench201/{name}": _table(str(name), metrics) for name, metrics in datasets.items()}
        return {**tables, **_blocks(content.get("fbnet", {}))}
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from error


def _table(dataset: str, metrics: Any) -> PublishedTable:
    if not isinstance(metrics, dict):
        raise InputError(f"{dataset[:40]!r} is no table of metrics")
    columns = {}
    for name, values in metrics.items():
        if name != "config":
            column = ".".join(_column(name))
            if not isinstance(values, list | tuple) or len(values) > _MAX_CELLS:
                raise InputError(f"{name!r} is no list of numbers")
            columns[column] = Column.of(values)
    if not columns:
        raise InputError(f"{dataset[:40]!r} has no metrics")
    count = len(next(iter(columns.values())).values)
    return PublishedTable(f"HW-NAS-Bench/nasbench201/{dataset}", tuple(map(str, range(count))), columns, _details(metrics, count))


def _column(metric: Any) -> tuple[str, str]:
    """The device of a metric, and its quantity with the unit in its name."""
    for end, unit in _UNITS.items():
        if str(metric).endswith(end):
            return str(metric).removesuffix(end), unit
    raise InputError(f"the unit of {str(metric)[:40]!r} is not known; known endings are {', '.join(_UNITS)}")


def _blocks(metrics: Any) -> dict[str, PublishedTable]:
    """The tables of FBNet's blocks, one per device: devices need not have measured the same blocks."""
    if not isinstance(metrics, dict):
        raise InputError("'fbnet' is no table of metrics")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for metric, costs in metrics.items():
        device, unit = _column(metric)
        if not isinstance(costs, dict) or len(costs) > _MAX_CELLS or not all(isinstance(block, str) for block in costs):
            raise InputError(f"{metric!r} is no mapping from blocks to numbers")
        found.setdefault(device, {})[unit] = costs
    tables = {}
    for device, by_unit in found.items():
        keys = tuple(next(iter(by_unit.values())))
        if any(set(costs) != set(keys) for costs in by_unit.values()):
            raise InputError(f"the metrics of {device[:40]!r} are not of the same blocks")
        columns = {f"{device}.{unit}": Column.of([costs[key] for key in keys]) for unit, costs in by_unit.items()}
        tables[f"fbnet/{device}"] = PublishedTable(f"HW-NAS-Bench/fbnet/{device}", keys, columns, tuple(map(_sizes, keys)))
    return tables


def _sizes(block: str) -> dict[str, Any]:
    """The numbers in the name of a block: `FC_Cin1984_Cout1000` -> `{"block": "FC", "Cin": 1984, "Cout": 1000}`."""
    kind, *parts = block.split("_")
    numbers = [match for part in parts if (match := re.fullmatch(r"([A-Za-z]+)([0-9]{1,9})", part))]
    return {"block": kind, **{match[1]: int(match[2]) for match in numbers}}


def _details(metrics: Mapping[str, Any], count: int) -> tuple[Mapping[str, Any], ...]:
    config = metrics.get("config")
    if isinstance(config, list) and len(config) == count and all(isinstance(entry, dict) for entry in config):
        return tuple(config)
    return ({},) * count
