"""What a front is worth beside another one, in numbers that need no volume: how much cheaper for as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from hwnas.report.formats import plural, ratio
from hwnas.report.model import Objective, Point, ReportData

#: What the hand-made networks are.
HAND = "networks that need no search, with one kernel and one expansion throughout, width, depth and resolution scaled together"


def cheapest(front: Sequence[Point], gain: Objective, cost: Objective, wanted: float) -> Point | None:
    """The cheapest point whose gain is at least `wanted`; None when there is none."""
    sign = 1 if gain.maximize else -1
    good = [point for point in front if sign * point.values[gain.name].value >= sign * wanted]
    return min(good, key=lambda point: point.values[cost.name].value, default=None)


def savings(front: Sequence[Point], others: Sequence[Point], gain: Objective, cost: Objective) -> list[float]:
    """For each of the others: its cost over that of the cheapest front point that is at least as good; infinite costs are left out."""
    found = []
    for other in others:
        instead = cheapest(front, gain, cost, other.values[gain.name].value)
        if instead is not None and instead.values[cost.name].value > 0:
            found.append(other.values[cost.name].value / instead.values[cost.name].value)
    return [times for times in found if math.isfinite(times)]


def against_hand(data: ReportData) -> str:
    """What the search gains over networks scaled by hand, as the rest of a sentence that begins with them; empty without them."""
    gain, cost = data.gain, data.cost
    if gain is None or cost is None or not data.references or not data.front:
        return ""
    found = savings(data.front, data.references, gain, cost)
    text = HAND
    if not found:
        return f"{text}; no point of the search is as good as any of them."
    missed = len(data.references) - len(found)
    more = (
        f"; {plural(missed, 'of them')} has no equal on it" if missed == 1 else f"; {missed} of them have no equal on it" if missed else ""
    )
    times = median(found)
    if abs(times - 1) < 0.005:
        return f"{text}: where the search is as good it costs as much as they do (median of {plural(len(found), 'network')}){more}."
    what = f"{ratio(times)} cheaper" if times > 1 else f"{ratio(1 / times)} dearer"
    return f"{text}: what is as good as they are is {what} on the front of the search (median of {plural(len(found), 'network')}){more}."
