"""An audit in words: for a terminal and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rankings(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was compared, and Kendall's tau with its 90 % interval. `found` is what `hwnas.audit.audit` returns."""
    ranking, stability = found["ranking"], found["stability"]
    rows = [("super-network against the truth", ranking["tau"]), (f"on the true best {ranking['top']['n']}", ranking["top"]["tau"])]
    rows += [(f"{s['macs_low'] / 1e6:.3g} to {s['macs_high'] / 1e6:.3g} million MACs ({s['n']})", s["tau"]) for s in ranking["strata"]]
    rows += [("truth against truth with other seeds", ranking["ceiling"]), ("random ranking", ranking["chance"])]
    texts = [(name, _quantity(value)) for name, value in rows]
    for name, what in (("epochs", "last epochs"), ("seeds", "seeds")):
        if stability[name]["tau"] is not None:
            texts.append((f"super-networks of {stability[name]['n']} {what}", f"{stability[name]['tau']:.2f}"))
    return texts


def heading(found: Mapping[str, Any]) -> str:
    """What the numbers of `rankings` are."""
    return f"{len(found['architectures'])} architectures, {found['options']['seeds']} trainings of each; Kendall's tau with 90 % interval"


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What else was found."""
    gap, selection = found["gap"], found["selection"]
    correlated = gap["correlation"]["macs"]
    size = "" if correlated is None else f", correlation with log MACs {correlated:+.2f}"
    lost, rank = selection["regret"], selection["rank_of_first"]
    texts = [
        f"own minus inherited accuracy: {gap['mean']:+.1%} on average, standard deviation {gap['std']:.1%}{size}",
        f"choosing by the super-network loses {lost:.1%} of accuracy: its first choice is truly number {rank}",
    ]
    if found["noise"] is not None:
        texts.append(f"seeds alone change an accuracy by {found['noise']:.1%} (standard deviation)")
    curve = found.get("calibration")
    if curve is not None:
        needed = f"batch-norm needs {curve['plateau']} images to calibrate a sub-net"
        texts.append(f"{needed}: more change accuracies by less than their interval")
    return texts


def _quantity(value: Mapping[str, float] | None) -> str:
    return "nothing to rank" if value is None else f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"
