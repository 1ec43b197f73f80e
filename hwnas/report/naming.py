"""From the names and units of a run to words on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_profiles.errors import unknown
from hwnas.devices import WORST
from hwnas.report.model import Objective

#: How units are written, by the ending of a quantity's name.
UNITS = {"ms": "ms", "us": "µs", "s": "s", "mj": "mJ", "mb": "MB", "kb": "kB", "mm2": "mm²", "mw": "mW"}
#: The objective that `hwnas verify` measures again.
LATENCY = "latency_ms"
#: Words that are not written in lower case.
WORDS = {"macs": "MACs", "flops": "FLOPs", "params": "parameters"}
#: Units under which a share (0 to 1) is stored.
SHARE_UNITS = ("", "1", "fraction", "share", "ratio")


def label(name: str) -> tuple[str, str]:
    """The words and the unit of a name: `latency_ms` is `Latency` in `ms`."""
    words = name.split("_")
    unit = UNITS.get(words[-1].lower(), "") if len(words) > 1 else ""
    text = " ".join(WORDS.get(word.lower(), word) for word in (words[:-1] if unit else words))
    return text[:1].upper() + text[1:], unit


def objective(record: Mapping[str, Any]) -> Objective:
    """An objective from its record in a run's spec. Accuracies that are stored as shares are shown in percent."""
    name, unit, device = str(record["name"]), str(record.get("unit") or ""), str(record.get("device") or "")
    words, own = label(name.removeprefix(f"{device}_"))
    if device:
        words = f"{words} on {_the(device)}"
    maximize = str(record["direction"]).startswith("max")
    if "accuracy" in name.lower() and unit.lower() in SHARE_UNITS:
        return Objective(name, words, "%", maximize, 100.0)
    return Objective(name, words, own or ("" if unit in SHARE_UNITS else unit), maximize, device=device)


def _the(device: str) -> str:
    """What one of several devices is called in a sentence."""
    return "the worst device" if device == WORST else device


def axes(objectives: Sequence[Objective], wanted: str | None = None) -> tuple[Objective | None, Objective | None]:
    """The gain (accuracy, or the first to maximise) and the cost: the one `wanted`, the worst of several devices, latency, or the first.

    Raises InputError for a cost that there is not.
    """
    gains = sorted((o for o in objectives if o.maximize), key=lambda o: "accuracy" not in o.name.lower())
    gain = gains[0] if gains else objectives[1] if len(objectives) > 1 else None
    costs = sorted((o for o in objectives if not o.maximize and o is not gain), key=lambda o: (o.device != WORST, o.name != LATENCY))
    if wanted is not None and wanted not in [o.name for o in costs]:
        raise unknown("cost", wanted, [o.name for o in costs])
    costs = [o for o in costs if wanted in (None, o.name)]
    return gain, costs[0] if costs else None


def extra(name: str, gain: Objective | None) -> Objective:
    """How something learned later is written; accuracies as the gain."""
    words, unit = label(name)
    if gain is not None and gain.is_percent and "accuracy" in name.lower():
        return Objective(name, words, "%", True, gain.factor)
    return Objective(name, words, unit, False)
