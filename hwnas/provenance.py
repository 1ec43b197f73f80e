"""What a run's spec says about where its numbers come from, read off the objectives themselves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hwnas.devices import DeviceCost, Worst


def provenance(objectives: Iterable[Any]) -> dict[str, Any]:
    """The device behind a cost, the super-network and images behind an accuracy, and how an accuracy without them is made, as JSON.

    `hwnas.finish` finds them there again. What lives in memory only has no path. For several devices, `devices` has them all.
    """
    found: dict[str, Any] = {}
    for objective in (part for one in objectives for part in (one.costs if isinstance(one, Worst) else (one,))):
        device = getattr(objective, "predictor", None)
        if device is not None and hasattr(device, "device_name_"):
            path = getattr(device, "path_", None)
            record = {"name": device.device_name_, "path": None if path is None else str(path), **device.origin_}
            if isinstance(objective, DeviceCost):
                found.setdefault("devices", {})[objective.device] = record
            else:
                found["device"] = record
        if hasattr(objective, "supernet") and hasattr(objective, "dataset"):
            folder = getattr(objective.supernet, "folder", None)
            found["supernet"] = {"path": None if folder is None else str(folder), "sha256": None if folder is None else _weights(folder)}
            found["data"] = objective.dataset.summary()
        if hasattr(objective, "record"):
            found.setdefault("accuracy", {})[objective.name] = objective.record()
    return found


def seen_from(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with the paths of device and super-network as seen from the run folder, where they lie beside it.

    A folder that holds all of them can then be moved; what lies elsewhere keeps its full path.
    """
    moved = {name: _beside(folder, spec[name]) if name in ("device", "supernet") else value for name, value in spec.items()}
    if isinstance(spec.get("devices"), Mapping):
        moved["devices"] = {name: _beside(folder, record) for name, record in spec["devices"].items()}
    return moved


def _beside(folder: Path, record: Any) -> Any:
    """A record whose path begins at the run folder where it leads to something beside it."""
    if not isinstance(record, Mapping) or not record.get("path"):
        return record
    path, home = Path(record["path"]), folder.resolve().parent
    beside = path.is_absolute() and path.is_relative_to(home)
    return {**record, "path": os.path.relpath(path, folder.resolve()) if beside else str(path)}


def _weights(folder: Path) -> str:
    from hwnas.supernet.checkpoint import FILE

    with (folder / FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
