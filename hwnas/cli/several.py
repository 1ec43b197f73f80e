"""`--device`, given once or several times, and the objectives that there are then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError, unknown

_NAMED = re.compile(r"([^=/\\]+)=(.+)")


def named(texts: Sequence[str]) -> dict[str, str]:
    """What every device is called, and what was given for it: `NAME=WHAT`, or WHAT alone, which is called after itself.

    One device alone has no name (""). Raises InputError for two devices of one name, and for what no name can be made of.
    """
    if len(texts) == 1:
        return {"": texts[0]}
    found: dict[str, str] = {}
    for text in texts:
        match = _NAMED.fullmatch(text)
        name, what = (match[1], match[2]) if match else (_name(text), text)
        if name in found:
            raise InputError(f"two devices are called {name}: tell them apart, such as --device {name}=FILE --device {name}2=FILE")
        found[name] = what
    from hwnas.devices import check_device

    for name in found:
        check_device(name, found)
    return found


def _name(text: str) -> str:
    """A file is called by its name, a device of the library or of a table as it is there, in letters and digits."""
    bare = Path(text).stem if text.endswith(".json") else text
    name = re.sub(r"[^A-Za-z0-9]+", "_", bare).strip("_")
    if not name[:1].isalpha():
        raise InputError(f"give the device {text} a name, such as --device pi={text}")
    return name


def objectives_of(costs: Mapping[str, Mapping[str, Any]], devices: Iterable[str]) -> dict[str, list[Any]]:
    """What `--objectives` may name, with what it stands for: `costs` maps quantities to devices to costs.

    A quantity that all devices have stands for that of every device and of the worst; each may be named alone, such as `pi_latency_ms` and
    `worst_latency_ms`, and `worst_latency_share` is relative to the largest network.
    """
    from hwnas.devices import Worst, of_device, per_device

    known: dict[str, list[Any]] = {}
    for quantity, by_device in costs.items():
        if set(by_device) != set(devices):
            known |= {f"{device}_{quantity}": [of_device(device, cost)] for device, cost in by_device.items()}
            continue
        found = per_device(by_device)
        share = Worst(tuple(found[:-1]), quantity, "largest")
        known |= {quantity: found, **{one.name: [one] for one in found}, share.name: [share]}
    return known


def chosen(names: Sequence[str], known: Mapping[str, Sequence[Any]]) -> list[Any]:
    """What names stand for, each objective once. Raises InputError for a name that there is not, and for one that is given twice."""
    found: dict[str, Any] = {}
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"objective {name} is given twice: name every objective once")
        if name not in known:
            raise unknown("objective", name, known)
        found.update((one.name, one) for one in known[name])
    return list(found.values())
