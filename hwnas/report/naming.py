"""From the names and units of a run to words on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    name, unit = str(record["name"]), str(record.get("unit") or "")
    words, own = label(name)
    maximize = str(record["direction"]).startswith("max")
    if "accuracy" in name.lower() and unit.lower() in SHARE_UNITS:
        return Objective(name, words, "%", maximize, 100.0)
    return Objective(name, words, own or ("" if unit in SHARE_UNITS else unit), maximize)


def axes(objectives: Sequence[Objective]) -> tuple[Objective | None, Objective | None]:
    """The gain (accuracy, or the first to maximise) and the cost (latency, or the first other one to minimise)."""
    gains = sorted((o for o in objectives if o.maximize), key=lambda o: "accuracy" not in o.name.lower())
    gain = gains[0] if gains else objectives[1] if len(objectives) > 1 else None
    costs = sorted((o for o in objectives if not o.maximize and o is not gain), key=lambda o: o.name != LATENCY)
    return gain, costs[0] if costs else None


def extra(name: str, gain: Objective | None) -> Objective:
    """How something learned later is written; accuracies as the gain."""
    words, unit = label(name)
    if gain is not None and gain.is_percent and "accuracy" in name.lower():
        return Objective(name, words, "%", True, gain.factor)
    return Objective(name, words, unit, False)
