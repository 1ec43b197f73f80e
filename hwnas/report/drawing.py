"""What the figures of the page share: axes, error bars, the look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from device_profiles.quantity import Quantity
from hwnas.report.model import Objective, Point

Figure = dict[str, Any]

#: A cost axis whose ends are further apart than this is logarithmic.
LOG_FROM = 10.0


def scatter(points: Sequence[Point], cost: Objective, gain: Objective) -> dict[str, Any]:
    """Points at their cost and gain, in the units of the page; hovering shows the trace's `text`."""
    return {
        "type": "scatter", "hovertemplate": "%{text}<extra></extra>",
        "x": [p.values[cost.name].value * cost.factor for p in points], "y": [p.values[gain.name].value * gain.factor for p in points],
    }  # fmt: skip


def bars(quantities: Sequence[Quantity], factor: float, color: str) -> dict[str, Any]:
    """Error bars from the 90 % intervals."""
    return {
        "type": "data", "symmetric": False, "thickness": 1, "width": 0, "color": color,
        "array": [(q.high - q.value) * factor for q in quantities], "arrayminus": [(q.value - q.low) * factor for q in quantities],
    }  # fmt: skip


def scale(axis: dict[str, Any], values: Sequence[float]) -> None:
    """Make an axis logarithmic when its values span more than `LOG_FROM`; otherwise let it begin at zero."""
    if min(values) <= 0 or max(values) / min(values) <= LOG_FROM:
        axis["rangemode"] = "tozero"
        return
    ticks = _ticks(min(values) / 2, max(values) * 2)
    # The library would write 2, 5, 100, 2, 5, 1000.
    axis.update(type="log", tickvals=ticks, ticktext=[f"{tick:,g}" for tick in ticks])


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, ... between two numbers; powers of ten alone when they are far apart."""
    steps = (1, 2, 5) if high / low < 1e4 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [float(f"{step}e{exponent}") for exponent in exponents for step in steps]
    return [tick for tick in found if low <= tick <= high]


def layout(x: str, y: str) -> dict[str, Any]:
    """Axes with titles (already escaped), and colours by name."""
    axis = {"gridcolor": "@grid", "linecolor": "@line", "tickcolor": "@line", "zeroline": False, "showline": True, "ticks": "outside"}
    axis["automargin"] = True
    return {
        "xaxis": {**axis, "title": {"text": x, "standoff": 8}}, "yaxis": {**axis, "title": {"text": y, "standoff": 8}},
        "paper_bgcolor": "@paper", "plot_bgcolor": "@paper", "font": {"color": "@ink", "size": 13},
        "margin": {"l": 56, "r": 16, "t": 12, "b": 48}, "hovermode": "closest", "dragmode": "zoom",
        "hoverlabel": {"bgcolor": "@paper", "bordercolor": "@line", "font": {"color": "@ink", "size": 12}, "align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "font": {"size": 12}},
    }  # fmt: skip
