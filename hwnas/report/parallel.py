"""Parallel coordinates: every objective of every point of the front, where two axes are not enough."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from hwnas.report.drawing import Figure, layout
from hwnas.report.model import Objective, Point, ReportData
from hwnas.report.picks import Pick

#: How the lines of recommended points differ without colour.
DASHES = ("solid", "dash", "dot", "dashdot")


def parallel_figure(data: ReportData, picks: Sequence[Pick]) -> Figure | None:
    """A line per point of the front across all objectives, up is better; None for fewer than three objectives or two points."""
    if len(data.objectives) < 3 or len(data.front) < 2:
        return None
    axes = [_Axis(objective, data.front) for objective in data.objectives]
    chosen = {index: [pick.name for pick in picks if pick.index == index] for index in dict.fromkeys(pick.index for pick in picks)}
    others = [point for i, point in enumerate(data.front) if i not in chosen]
    traces = [_lines(others, axes, data, "front", {"width": 1, "color": "@faint"}, 4)] if others else []
    for number, (index, names) in enumerate(sorted(chosen.items())):
        line = {"width": 2.5, "color": "@front" if number % 2 else "@random", "dash": DASHES[number % len(DASHES)]}
        traces.append(_lines([data.front[index]], axes, data, ", ".join(names), line, 8))
    return {"data": traces, "layout": _layout(axes)}


class _Axis:
    """One objective with the span of its values on the front."""

    def __init__(self, objective: Objective, front: Sequence[Point]) -> None:
        self.objective = objective
        values = [point.values[objective.name].value for point in front]
        low, high = min(values), max(values)
        self.best, self.worst = (high, low) if objective.maximize else (low, high)

    def height(self, point: Point) -> float:
        """Where a point lies: 1 for the best of the front, 0 for the worst."""
        value = point.values[self.objective.name].value
        return 1.0 if self.best == self.worst else (value - self.worst) / (self.best - self.worst)


def _lines(points: Sequence[Point], axes: Sequence[_Axis], data: ReportData, name: str, line: dict[str, Any], size: int) -> dict[str, Any]:
    """All points as one trace; a gap ends the line of each."""
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str | None] = []
    numbers: list[int | None] = []
    for point in points:
        x += [*map(float, range(len(axes))), None]
        y += [*(axis.height(point) for axis in axes), None]
        texts += [_hover(point, data.objectives)] * len(axes) + [None]
        numbers += [point.number] * len(axes) + [None]
    return {
        "type": "scatter", "mode": "lines+markers", "name": escape(name), "x": x, "y": y, "line": line,
        "marker": {"size": size, "color": line["color"]}, "text": texts, "customdata": numbers, "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _hover(point: Point, objectives: Sequence[Objective]) -> str:
    lines = [f"point {point.number}", *(f"{o.label} {o.full(point.values[o.name])}" for o in objectives)]
    return "<br>".join(escape(line) for line in lines)


def _layout(axes: Sequence[_Axis]) -> dict[str, Any]:
    frame = layout("", "")
    last = len(axes) - 1
    titles = [escape(axis.objective.label) + (f"<br>{escape(axis.objective.unit)}" if axis.objective.unit else "") for axis in axes]
    frame["xaxis"].update(
        tickvals=list(range(len(axes))), ticktext=titles, range=[-0.25, last + 0.25], showgrid=False, showline=False, ticks="",
        fixedrange=True,
    )  # fmt: skip
    frame["yaxis"].update(visible=False, range=[-0.12, 1.12], fixedrange=True)
    frame["shapes"] = [
        {"type": "line", "x0": i, "x1": i, "y0": 0, "y1": 1, "line": {"width": 1, "color": "@line"}, "layer": "below"}
        for i in range(len(axes))
    ]
    frame["annotations"] = [
        {
            "x": i,
            "y": y,
            "text": escape(axis.objective.bare(value)),
            "showarrow": False,
            "yanchor": anchor,
            "yshift": 7 if anchor == "bottom" else -7,
            "font": {"size": 11, "color": "@ink"},
        }
        for i, axis in enumerate(axes)
        for y, value, anchor in ((1.0, axis.best, "bottom"), (0.0, axis.worst, "top"))
    ]
    return frame
