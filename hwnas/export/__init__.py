"""Architectures as files to deploy: ONNX with proof that it computes the same, int8, and a program that runs it.

Torch, onnx and onnxruntime are loaded when something is exported, not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnas.export.front import Exported, export_front
    from hwnas.export.integer import Int8
    from hwnas.export.subnet import ExportReport, export, export_subnet

__all__ = ["ExportReport", "Exported", "Int8", "export", "export_front", "export_subnet"]

#: The module of each name.
_MODULES = {
    "ExportReport": "subnet", "Exported": "front", "Int8": "integer",
    "export": "subnet", "export_front": "front", "export_subnet": "subnet",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'hwnas.export' has no attribute {name!r}")
    return getattr(import_module(f"hwnas.export.{_MODULES[name]}"), name)
