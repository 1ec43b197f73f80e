"""Profiles measured by this project and shipped with it: packed JSON Lines files beside this one, named after their devices."""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError

#: A header line is a few hundred bytes; nothing beyond this is read to find the name of a profile.
_HEADER_BYTES = 1 << 16


def library_profiles() -> dict[str, Path]:
    """The shipped profiles: device name, such as `xeon-2.80ghz/onnxruntime/1t`, to file. Only their first lines are read."""
    return profiles_in(Path(str(files(__name__))))


@cache
def profiles_in(folder: Path) -> dict[str, Path]:
    """The profiles in a folder (`*.jsonl.gz`) by device name. Raises InputError for a file whose first line is no header."""
    return {device_name_of(path): path for path in sorted(folder.glob("*.jsonl.gz"))}


def device_name_of(path: Path) -> str:
    """The name of the device that a packed profile is of, from its first line."""
    from device_profiles.fingerprint import device_name
    from device_profiles.seal import unseal

    try:
        with gzip.open(path, "rb") as file:
            header = unseal(file.readline(_HEADER_BYTES).rstrip(b"\n"))
        return device_name(header["device"], header["runtime"])
    except (OSError, EOFError, zlib.error, KeyError, InputError) as error:
        raise InputError(f"{path}: not a packed profile ({error})") from error


def packed_name(device_name: str) -> str:
    """The file under which the profile of a device lies in the library."""
    return f"{device_name.replace('/', '--')}.jsonl.gz"


def library_rows() -> list[dict[str, Any]]:
    """What a list of the shipped profiles shows: name, hardware, runtime, numbers of operators and networks, date, path."""
    from device_profiles.profile import DeviceProfile

    rows = []
    for name, path in library_profiles().items():
        profile = DeviceProfile.read(path)
        device, runtime = profile.header["device"], profile.header["runtime"]
        rows.append({
            "name": name, "hardware": device.get("cpu"), "cores": device.get("cores"), "runtime": runtime.get("name"),
            "version": runtime.get("version"), "threads": runtime.get("threads"), "operators": len(profile.operators()),
            "networks": len(profile.networks()), "created": profile.header.get("created"), "path": str(path),
        })  # fmt: skip
    return rows
