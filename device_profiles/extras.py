"""Lines of a profile beside the times: the energy and the peak memory of an item, and what happened to the machine during a campaign.

A profile of what others published also has lines for costs of things that are no graph: blocks, cells, architectures of a benchmark.

An energy or memory line belongs to the measurement whose key its `of` holds. All three may be missing.

    {"type": "energy", "key": "energy/<key>", "of": "<key>", "status": "ok", "energy_mj": {...}, "total_energy_mj": {...}, "power_w": {...},
     "idle_w": {...}, "copies": k, "runs": [[watts, watts at rest, ms per call, calls], ... one per round], "warnings": [...]}
    {"type": "memory", "key": "memory/<key>", "of": "<key>", "status": "ok", "memory_mb": {...}}
    {"type": "conditions", "key": "conditions/<campaign>", "before": ["..."], "during": ["..."]}
    {"type": "published", "key": "...", "status": "ok", "costs": {"<device>.latency_ms": {...}, ...}, "details": {...}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity

#: The quantities of each type of line; a reader refuses one that is not positive or beyond the bound.
_QUANTITIES = {"energy": ("energy_mj", "total_energy_mj", "power_w"), "memory": ("memory_mb",)}
_MOST = 1e12

TYPES = ("energy", "memory", "conditions", "published")


def check(line: Mapping[str, Any]) -> None:
    """Raises InputError, KeyError or TypeError for a line that is not what was written."""
    if line["type"] == "conditions":
        sentences = [*line["before"], *line["during"]]
        if not all(isinstance(sentence, str) for sentence in sentences):
            raise InputError("conditions must be sentences")
        return
    if line["type"] == "published":
        quantities_ = [Quantity.from_json(cost) for cost in line["costs"].values()]
        if not all(cost.origin == "published" and cost.low >= 0 and cost.high <= _MOST for cost in quantities_):
            raise InputError("published costs must be finite numbers from 0, of the origin `published`")
        return
    if line["key"] != f"{line['type']}/{line['of']}":
        raise InputError(f"the key of this line must be {line['type']}/ and the key of what it belongs to")
    if line.get("status") == "ok":
        for name in _QUANTITIES[line["type"]]:
            quantity = Quantity.from_json(line[name])
            if not (quantity.value > 0 and quantity.low >= 0 and quantity.high <= _MOST):
                raise InputError(f"a measured {name} must be positive and finite")


def quantities(lines: Iterable[Mapping[str, Any]], name: str) -> dict[str, Quantity]:
    """Key of a measurement -> its quantity of one name (`energy_mj`, `total_energy_mj`, `power_w`, `memory_mb`), where it was measured."""
    return {
        line["of"]: Quantity.from_json(line[name])
        for line in lines
        if line["type"] in _QUANTITIES and name in line and line.get("status") == "ok"
    }
