"""Hardware-aware neural architecture search: from a device and images to a verified front.

    space    = hwnas.spaces.load("mobilenet-small", classes=10, resolution=16, channels=1)
    supernet = hwnas.train(space, data="digits", out="runs/supernet")
    run      = hwnas.search(space, [hwnas.accuracy(supernet), device.latency_ms], out="runs/front")

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnas import data, spaces
    from hwnas.accuracy import accuracy
    from hwnas.devices import per_device
    from hwnas.front import Front
    from hwnas.objectives import Constraint, Objective
    from hwnas.run import Run
    from hwnas.search.loop import search
    from hwnas.training import train

__all__ = ["Constraint", "Front", "Objective", "Run", "accuracy", "data", "per_device", "search", "spaces", "train"]

#: Where each name lives: a module of its own, or a module and a name in it.
_MODULES = ("accuracy", "data", "search", "spaces")
_NAMES = {
    "Constraint": "objectives", "Front": "front", "Objective": "objectives", "Run": "run", "per_device": "devices", "train": "training",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"hwnas.{name}")
    if name in _NAMES:
        return getattr(import_module(f"hwnas.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'hwnas' has no attribute {name!r}")
