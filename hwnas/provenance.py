"""What a run's spec says about where its numbers come from, read off the objectives themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def provenance(objectives: Iterable[Any]) -> dict[str, Any]:
    """The device behind a cost, and the super-network and images behind an accuracy, as JSON.

    `hwnas.finish` finds them there again. What lives in memory only has no path.
    """
    found: dict[str, Any] = {}
    for objective in objectives:
        device = getattr(objective, "predictor", None)
        if device is not None and hasattr(device, "device_name_"):
            path = getattr(device, "path_", None)
            found["device"] = {"name": device.device_name_, "path": None if path is None else str(path), **device.origin_}
        if hasattr(objective, "supernet") and hasattr(objective, "dataset"):
            folder = getattr(objective.supernet, "folder", None)
            found["supernet"] = {"path": None if folder is None else str(folder)}
            found["data"] = objective.dataset.summary()
    return found
