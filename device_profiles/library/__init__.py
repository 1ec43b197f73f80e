"""Profiles measured by this project and shipped with it, as JSON Lines files beside this one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any


def library_profiles() -> list[dict[str, Any]]:
    """The shipped profiles: name, path, numbers of operators and networks, date."""
    from device_profiles.profile import DeviceProfile

    found = []
    for path in sorted(Path(str(files(__name__))).glob("*.jsonl")):
        profile = DeviceProfile.read(path)
        counts = {"operators": len(profile.operators()), "networks": len(profile.networks())}
        found.append({"name": profile.device_name, "path": str(path), **counts, "created": profile.header["created"]})
    return found
