"""Opening the profile of a campaign: the header of a new one, or the check that an old one was made here, in the same way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from device_profiles.append import Appender
from device_profiles.errors import InputError
from device_profiles.fingerprint import differences
from device_profiles.passes import Passes
from device_profiles.profile import SCHEMA, DeviceProfile
from device_profiles.protocol import Protocol

#: What a profile is for, by whether it is functional.
_KINDS = {False: "holds measurements", True: "only tries the way, on an emulated processor"}


def open_profile(
    profile: Appender, device: dict[str, Any], settings: Protocol, passes: Passes, before: list[str], functional: bool
) -> set[str]:
    """Writes the header of a new profile, or checks an old one; returns the keys that it has.

    `before` are the sentences about the machine; what the passes find missing is added to it. Raises InputError when the profile was made
    on another device, or only to try the way.
    """
    runtime = passes.runtime.fingerprint()
    if not profile.lines:
        energy = passes.header()
        before += passes.problems
        profile.append(
            {
                "type": "header", "schema": SCHEMA, "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "device": device, "runtime": runtime, "protocol": settings.to_json(), "energy": energy, "conditions": before,
                **({"functional": True} if functional else {}),
            }
        )  # fmt: skip
        return set()
    known = DeviceProfile.read(profile.path)
    _check(profile, known, device, runtime, functional)
    passes.check(known.header.get("energy"))
    before += passes.problems
    return {line["key"] for line in known.lines}


def _check(profile: Appender, known: DeviceProfile, device: dict[str, Any], runtime: Mapping[str, Any], functional: bool) -> None:
    differing = differences(device, dict(runtime), known.header["device"], known.header["runtime"])
    if differing:
        raise InputError(f"{profile.path} was measured on another device ({'; '.join(differing)}); choose another file for this one")
    if known.functional != functional:
        raise InputError(f"{profile.path} {_KINDS[known.functional]}; this campaign {_KINDS[functional]}: choose another file for it")
