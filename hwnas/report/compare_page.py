"""The comparison of two runs as HTML."""

from __future__ import annotations

from html import escape
from typing import Any

from hwnas.report.compare import Comparison, Side
from hwnas.report.drawing import Figure, bars, layout, scale, scatter
from hwnas.report.formats import plural
from hwnas.report.model import Objective, Point
from hwnas.report.shell import page


def render(comparison: Comparison, plotly_js: str | None = None) -> str:
    """The page as one text. `plotly_js` replaces the library that the plotly package brings (for tests)."""
    a, b = comparison.sides
    label = f"{comparison.gain.label} against {comparison.cost.label.lower()} of both runs"
    what = f"{plural(len(a.data.front), 'point')} of A and {plural(len(b.data.front), 'point')} of B"
    return page(
        "compare.html.j2", {"compare": compare_figure(comparison)}, scripted=True, plotly_js=plotly_js, c=comparison,
        label=f"{label}: {what}; all numbers are in the tables below",
        points=[(side, point) for side in comparison.sides for point in side.data.front],
    )  # fmt: skip


def compare_figure(comparison: Comparison) -> Figure:
    """Both fronts on the same axes with their intervals."""
    gain, cost = comparison.gain, comparison.cost
    a, b = comparison.sides
    frame = layout(escape(cost.axis), escape(gain.axis))
    scale(frame["xaxis"], [p.values[cost.name].value * cost.factor for side in comparison.sides for p in side.data.front])
    return {
        "data": [_front(a, gain, cost, "@front", "circle", "solid"), _front(b, gain, cost, "@random", "square-open", "dash")],
        "layout": frame,
    }


def _front(side: Side, gain: Objective, cost: Objective, color: str, symbol: str, dash: str) -> dict[str, Any]:
    points = side.data.front
    return {
        **scatter(points, cost, gain), "name": escape(side.name), "mode": "lines+markers" if len(side.data.objectives) == 2 else "markers",
        "line": {"shape": "hv", "width": 2, "color": color, "dash": dash}, "marker": {"size": 9, "symbol": symbol, "color": color},
        "error_x": bars([p.values[cost.name] for p in points], cost.factor, color),
        "error_y": bars([p.values[gain.name] for p in points], gain.factor, color),
        "text": [_hover(side, point, gain, cost) for point in points],
    }  # fmt: skip


def _hover(side: Side, point: Point, gain: Objective, cost: Objective) -> str:
    numbers = [f"{o.label} {o.full(point.values[o.name])}" for o in (cost, gain)]
    lines = [f"{side.name}, point {point.number}", *numbers, *(point.description.lines or (point.description.summary,))]
    return "<br>".join(escape(line) for line in lines)
