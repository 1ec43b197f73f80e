"""What verifications leave in a run folder: `verify.json`, `verify.jsonl`, `device.corrected.json`, and those of earlier ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from device_profiles.errors import DeviceError

#: The verdict; the measurements behind it, a profile; the predictor with the corrections that they asked for.
VERDICT, FILE, CORRECTED = "verify.json", "verify.jsonl", "device.corrected.json"


def further(number: int) -> str:
    """The file of measurements that were taken as campaigns of their own, from 0."""
    return FILE if number == 0 else f"verify-{number}.jsonl"


def begin(folder: Path) -> None:
    """Goes on after an interruption, afresh after a verdict; what an earlier verification measured is kept."""
    if (folder / VERDICT).exists() and (folder / FILE).exists():
        set_aside(folder)


def set_aside(folder: Path) -> None:
    """Gives all measurements the number of the next earlier verification. Raises DeviceError when they cannot be renamed."""
    number = earlier(folder)
    for path in [folder / FILE, folder / f"{FILE}.journal", *sorted(folder.glob("verify-*.jsonl"))]:
        if path.exists():
            try:
                path.rename(folder / path.name.replace("verify", f"verify.{number}", 1))
            except OSError as error:
                raise DeviceError(f"cannot rename {path}: {error.strerror}") from error


def earlier(folder: Path) -> int:
    """How many verifications were set aside."""
    return sum(1 for path in folder.glob("verify.*.jsonl") if "-" not in path.name)


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON, whole or not at all. Raises DeviceError when it cannot."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror}") from error
