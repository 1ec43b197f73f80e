"""HW-NAS-Bench: the published costs of NAS-Bench-201 cells on six devices (Li et al., ICLR 2021, github.com/GATECH-EIC/HW-NAS-Bench).

Assumed of `HW-NAS-Bench-v1_0.pickle`: a dictionary `{"nasbench201": {dataset: {metric: [one number per cell], "config": [...]}}, ...}` with
metrics such as `raspi4_latency` in milliseconds and `edgegpu_energy` in millijoules, cells in the order of NAS-Bench-201. Its part `fbnet`
holds tables of blocks in another layout and is not read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from device_profiles.errors import InputError
from device_profiles.importers.plain_pickle import read_plain_pickle
from device_profiles.importers.table import Column, PublishedTable, read_bytes

#: The unit of each metric, by how its name ends.
_UNITS = {"_latency": ".latency_ms", "_energy": ".energy_mj", "_arithmetic_intensity": ".arithmetic_intensity"}

#: More cells than NAS-Bench-201 has (15,625) by far.
_MAX_CELLS = 1_000_000


def read_hwnasbench(path: str | os.PathLike[str]) -> dict[str, PublishedTable]:
    """The tables of NAS-Bench-201 by data set; an entry's key is the index of its cell ("0", "1", ...).

    Columns are called `<device>.latency_ms`, `<device>.energy_mj` and `eyeriss.arithmetic_intensity`. The source gives no spread.
    Raises InputError, in one line, for a file of another layout or with anything in it but plain data.
    """
    try:
        content = read_plain_pickle(read_bytes(path))
        datasets = content.get("nasbench201") if isinstance(content, dict) else None
        if not isinstance(datasets, dict) or not datasets:
            raise InputError("it has no table called 'nasbench201'; HW-NAS-Bench-v1_0.pickle is wanted")
        return {str(name): _table(str(name), metrics) for name, metrics in datasets.items()}
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from error


def _table(dataset: str, metrics: Any) -> PublishedTable:
    if not isinstance(metrics, dict):
        raise InputError(f"{dataset[:40]!r} is no table of metrics")
    columns = {}
    for name, values in metrics.items():
        unit = next((unit for end, unit in _UNITS.items() if str(name).endswith(end)), None)
        if unit is not None:
            if not isinstance(values, list | tuple) or len(values) > _MAX_CELLS:
                raise InputError(f"{name!r} is no list of numbers")
            columns[str(name).removesuffix(next(end for end in _UNITS if name.endswith(end))) + unit] = Column.of(values)
        elif name != "config":
            raise InputError(f"the unit of {str(name)[:40]!r} is not known; known endings are {', '.join(_UNITS)}")
    if not columns:
        raise InputError(f"{dataset[:40]!r} has no metrics")
    count = len(next(iter(columns.values())).values)
    return PublishedTable(f"HW-NAS-Bench/nasbench201/{dataset}", tuple(map(str, range(count))), columns, _details(metrics, count))


def _details(metrics: Mapping[str, Any], count: int) -> tuple[Mapping[str, Any], ...]:
    config = metrics.get("config")
    if isinstance(config, list) and len(config) == count and all(isinstance(entry, dict) for entry in config):
        return tuple(config)
    return ({},) * count
