"""Of a run for several devices: the front of each, and that of the worst, from the same evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from hwnas.devices import WORST
from hwnas.front import non_dominated
from hwnas.report.drawing import Figure, bars, layout, scale, scatter
from hwnas.report.formats import listed, plural
from hwnas.report.model import Objective, Point, ReportData

#: How the fronts differ, with and without colour; further devices begin again.
LOOKS = (
    ("@front", "circle", "solid"), ("@random", "square-open", "dash"), ("@hand", "triangle-up-open", "dot"),
    ("@ink", "diamond-open", "dashdot"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeviceFront:
    """The front of the gain against the cost of one device, from cheap to costly."""

    cost: Objective
    points: Sequence[Point]

    @property
    def name(self) -> str:
        """`pi`, or `worst device`."""
        return "worst device" if self.cost.device == WORST else self.cost.device


def device_fronts(data: ReportData) -> list[DeviceFront]:
    """The fronts in the order of the objectives, of the first cost that every device has in its own unit; none for a run for one device."""
    costs = [o for o in data.objectives if o.device and not o.maximize]
    own = [o for o in costs if o.device != WORST]
    if data.gain is None or len(own) < 2 or not data.front:
        return []
    first = own[0]
    alike = [o for o in costs if (_quantity(o), o.unit) == (_quantity(first), first.unit)]
    return [DeviceFront(cost, _front(data.front, data.gain, cost)) for cost in alike]


def devices_figure(data: ReportData) -> Figure | None:
    """Every front on the axes of its own cost; None for a run for one device."""
    gain, fronts = data.gain, device_fronts(data)
    if gain is None or not fronts:
        return None
    frame = layout(escape(f"{_quantity(fronts[0].cost)} ({fronts[0].cost.unit})"), escape(gain.axis))
    scale(frame["xaxis"], [p.values[f.cost.name].value * f.cost.factor for f in fronts for p in f.points])
    return {"data": [_trace(front, gain, LOOKS[i % len(LOOKS)]) for i, front in enumerate(fronts)], "layout": frame}


def devices_caption(data: ReportData) -> str:
    """How to read that figure."""
    fronts = device_fronts(data)
    if not fronts:
        return ""
    sizes = listed([f"{front.name} {plural(len(front.points), 'point')}" for front in fronts])
    return (
        f"The front of every device by its own cost, from the same evaluations: {sizes}. A report of one of them: "
        f"hwnas report {data.command} --cost {fronts[-1].cost.name}. Choose a point to read its details."
    )


def _quantity(objective: Objective) -> str:
    return objective.label.split(" on ")[0]


def _front(points: Sequence[Point], gain: Objective, cost: Objective) -> list[Point]:
    sign = -1 if gain.maximize else 1
    kept = non_dominated(np.array([[sign * p.values[gain.name].value, p.values[cost.name].value] for p in points]))
    return sorted((p for p, on in zip(points, kept, strict=True) if on), key=lambda p: p.values[cost.name].value)


def _trace(front: DeviceFront, gain: Objective, look: tuple[str, str, str]) -> dict[str, Any]:
    color, symbol, dash = look
    cost, points = front.cost, front.points
    return {
        **scatter(points, cost, gain), "name": escape(front.name), "mode": "lines+markers",
        "line": {"shape": "hv", "width": 2, "color": color, "dash": dash}, "marker": {"size": 8, "symbol": symbol, "color": color},
        "error_x": bars([p.values[cost.name] for p in points], cost.factor, color),
        "error_y": bars([p.values[gain.name] for p in points], gain.factor, color),
        "text": [_hover(p, cost, gain) for p in points], "customdata": [p.number for p in points],
    }  # fmt: skip


def _hover(point: Point, cost: Objective, gain: Objective) -> str:
    lines = [f"point {point.number}", *(f"{o.label} {o.full(point.values[o.name])}" for o in (cost, gain))]
    return "<br>".join(escape(line) for line in (*lines, *(point.description.lines or (point.description.summary,))))
