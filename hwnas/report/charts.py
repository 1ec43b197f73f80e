"""The figures of the page, as the plain dicts that plotly.js draws.

Colours are names such as `@front`: the page's script replaces them by the colours of the style sheet, light or dark. Shapes and dashes
differ as well, so that a figure is readable without colour. All texts are escaped: plotly.js reads a small markup inside its labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from hwnas.report.drawing import Figure, bars, layout, scale, scatter
from hwnas.report.formats import signed
from hwnas.report.model import Course, Objective, Pair, Point, ReportData, Verification
from hwnas.report.picks import Pick


def front_figure(data: ReportData, picks: Sequence[Pick]) -> Figure | None:
    """Cost against gain: what was evaluated, random search, hand-made networks, the front with its intervals, measurements, the picks."""
    gain, cost = data.gain, data.cost
    if gain is None or cost is None or not (data.front or data.evaluated):
        return None
    traces = [
        _evaluated(data.evaluated, cost, gain),
        _baseline(data, cost, gain),
        _references(data, cost, gain),
        _front(data, cost, gain),
        _measured(data, cost, gain),
        _picked(data.front, picks, cost, gain),
    ]
    drawn = [trace for trace in traces if trace["x"]]
    frame = layout(escape(cost.axis), escape(gain.axis))
    costs = [p.values[cost.name].value * cost.factor for p in (*data.front, *data.evaluated)]
    scale(frame["xaxis"], costs)
    frame["annotations"] = _names(data, picks, cost, gain, frame["xaxis"].get("type") == "log")
    window = _window(data, gain)
    if window:
        frame["yaxis"].update(range=list(window), autorange=False)
    return {"data": drawn, "layout": frame}


def verification_figure(verification: Verification, cost: Objective) -> Figure | None:
    """Predicted against measured, with the line of a perfect prediction and a band of +-10 %."""
    pairs = verification.pairs
    if not pairs:
        return None
    values = [v * cost.factor for p in pairs for v in (p.predicted.value, p.measured.value)]
    low, high = min(values) / 1.15, max(values) * 1.15
    ends = [low + (high - low) * i / 40 for i in range(41)]
    band = {"mode": "lines", "hoverinfo": "skip", "line": {"width": 1, "color": "@faint", "dash": "dot"}}
    traces: list[dict[str, Any]] = [
        {**band, "x": ends, "y": [v / 0.9 for v in ends], "showlegend": False},
        {**band, "x": ends, "y": [v / 1.1 for v in ends], "name": "±10 %", "fill": "tonexty", "fillcolor": "@band"},
        {**band, "x": ends, "y": ends, "name": "exact", "line": {"width": 1, "color": "@ink"}},
        _pairs([p for p in pairs if p.role == "front"], cost, "front", "circle", "@front"),
        _pairs([p for p in pairs if p.role == "former"], cost, "on the front before", "circle-open", "@front"),
        _pairs([p for p in pairs if p.role not in ("front", "former")], cost, "random", "diamond-open", "@random"),
    ]
    title = f"{cost.label.lower()} ({cost.unit})" if cost.unit else cost.label.lower()
    frame = layout(f"Predicted {escape(title)}", f"Measured {escape(title)}")
    for axis in ("xaxis", "yaxis"):
        scale(frame[axis], values)
        ends_shown = [math.log10(low), math.log10(high)] if frame[axis].get("type") == "log" else [low, high]
        frame[axis].update(range=ends_shown, autorange=False)
    return {"data": [trace for trace in traces if trace["x"]], "layout": frame}


def course_figure(search: Course | None, baseline: Course | None) -> Figure | None:
    """Hypervolume against evaluations, for the search and for random search."""
    traces = [
        _course(course, name, dash, color)
        for course, name, dash, color in ((search, "search", "solid", "@front"), (baseline, "random search", "dash", "@random"))
        if course is not None and len(course.evaluations)
    ]
    if not any(max(trace["y"]) > 0 for trace in traces):
        return None
    frame = layout("Evaluations", "Hypervolume")
    frame["hovermode"] = "x unified"
    frame["xaxis"]["rangemode"] = "tozero"
    return {"data": traces, "layout": frame}


def _evaluated(points: Sequence[Point], cost: Objective, gain: Objective) -> dict[str, Any]:
    return {
        **scatter(points, cost, gain), "name": "evaluated", "mode": "markers",
        "marker": {"size": 5, "color": "@faint", "opacity": 0.55, "symbol": "circle"},
        # There are thousands of them: the numbers are written by the library, and one line says which it is.
        "text": [escape(p.description.summary) for p in points],
        "hovertemplate": f"{_template(cost, '%{x:.3~g}')}<br>{_template(gain, '%{y:.4~g}')}<br>%{{text}}<extra></extra>",
    }  # fmt: skip


def _mode(data: ReportData) -> str:
    """Two objectives make a staircase: paying a little more buys nothing until the next point. With more, a line would lie."""
    return "lines+markers" if len(data.objectives) == 2 else "markers"


def _baseline(data: ReportData, cost: Objective, gain: Objective) -> dict[str, Any]:
    points = data.baseline
    return {
        **scatter(points, cost, gain), "name": "random search", "mode": _mode(data),
        "line": {"shape": "hv", "dash": "dash", "width": 1.5, "color": "@random"},
        "marker": {"size": 8, "symbol": "square-open", "color": "@random", "line": {"width": 1.5}},
        "text": [_hover(p, cost, gain) for p in points],
    }  # fmt: skip


def _references(data: ReportData, cost: Objective, gain: Objective) -> dict[str, Any]:
    points = data.references
    return {
        **scatter(points, cost, gain), "name": "scaled by hand", "mode": _mode(data),
        "line": {"shape": "hv", "dash": "dot", "width": 1.5, "color": "@hand"},
        "marker": {"size": 8, "symbol": "triangle-up-open", "color": "@hand", "line": {"width": 1.5}},
        "text": [_hover(p, cost, gain) for p in points],
    }  # fmt: skip


def _front(data: ReportData, cost: Objective, gain: Objective) -> dict[str, Any]:
    points, test = data.front, data.test
    return {
        **scatter(points, cost, gain), "name": "front", "mode": _mode(data),
        "line": {"shape": "hv", "width": 2, "color": "@front"},
        "marker": {"size": 9, "symbol": "circle", "color": "@front"},
        "error_x": bars([p.values[cost.name] for p in points], cost.factor, "@front"),
        "error_y": bars([p.values[gain.name] for p in points], gain.factor, "@front"),
        "text": [_hover(p, cost, gain, test) for p in points], "customdata": [p.number for p in points],
    }  # fmt: skip


def _measured(data: ReportData, cost: Objective, gain: Objective) -> dict[str, Any]:
    known = [(p, p.measured) for p in data.front if p.measured is not None]
    return {
        **scatter([p for p, _ in known], cost, gain), "x": [q.value * cost.factor for _, q in known], "name": "measured", "mode": "markers",
        "marker": {"size": 9, "symbol": "x-thin", "color": "@ink", "line": {"width": 2, "color": "@ink"}},
        "text": [_hover(p, cost, gain, data.test) for p, _ in known], "customdata": [p.number for p, _ in known],
    }  # fmt: skip


def _picked(points: Sequence[Point], picks: Sequence[Pick], cost: Objective, gain: Objective) -> dict[str, Any]:
    """A ring around each recommended point."""
    chosen = [points[i] for i in dict.fromkeys(pick.index for pick in picks)]
    return {
        **scatter(chosen, cost, gain), "name": "recommended", "mode": "markers", "hoverinfo": "skip", "hovertemplate": None,
        "marker": {"size": 17, "symbol": "circle-open", "color": "@ink", "line": {"width": 1.5, "color": "@ink"}},
    }  # fmt: skip


def _names(data: ReportData, picks: Sequence[Pick], cost: Objective, gain: Objective, log: bool) -> list[dict[str, Any]]:
    """The names of the recommended points: below and right of them; above and left near the right edge or the point before."""
    names: dict[int, list[str]] = {}
    for pick in picks:
        names.setdefault(pick.index, []).append(pick.name)
    place = (lambda p: math.log10(p.values[cost.name].value * cost.factor)) if log else (lambda p: p.values[cost.name].value * cost.factor)
    places = [place(p) for p in (*data.front, *data.evaluated)]
    low, high = (min(places) if log else 0.0, max(places)) if places else (0.0, 0.0)
    labels: list[dict[str, Any]] = []
    before = -math.inf
    for i, own in sorted(names.items()):
        x, text = place(data.front[i]), ", ".join(own)
        left = x - before < 0.1 * (high - low) or (x - low > 0.8 * (high - low) and len(text) > 10)
        labels.append({
            "x": x, "y": data.front[i].values[gain.name].value * gain.factor, "text": f"<b>{escape(text)}</b>", "showarrow": False,
            "bgcolor": "@halo", "borderpad": 1, "font": {"color": "@ink", "size": 12}, "captureevents": False,
            "xanchor": "right" if left else "left", "xshift": -10 if left else 10, "yshift": 17 if left else -15,
        })  # fmt: skip
        before = x
    return labels


def _pairs(pairs: Sequence[Pair], cost: Objective, name: str, symbol: str, color: str) -> dict[str, Any]:
    return {
        "x": [p.predicted.value * cost.factor for p in pairs], "y": [p.measured.value * cost.factor for p in pairs],
        "type": "scatter", "mode": "markers", "name": name, "marker": {"size": 9, "symbol": symbol, "color": color, "line": {"width": 1.5}},
        "error_x": bars([p.predicted for p in pairs], cost.factor, color), "error_y": bars([p.measured for p in pairs], cost.factor, color),
        "text": [_pair_hover(p, cost) for p in pairs],
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _template(objective: Objective, variable: str) -> str:
    """A number inside a template of the library, where any other percent sign would begin a variable."""
    label, unit = (escape(text).replace("%", "&#37;") for text in (objective.label, objective.unit))
    return f"{label} {variable} {unit}"


def _pair_hover(pair: Pair, cost: Objective) -> str:
    lines = (f"predicted {cost.full(pair.predicted)}", f"measured {cost.full(pair.measured)}", f"error {signed(100 * pair.error)} %")
    return "<br>".join(map(escape, lines))


def _course(course: Course, name: str, dash: str, color: str) -> dict[str, Any]:
    return {
        "x": list(course.evaluations), "y": list(course.hypervolume), "type": "scatter", "mode": "lines", "name": name,
        "line": {"shape": "hv", "dash": dash, "width": 2, "color": color}, "hovertemplate": "%{y:.5g}",
    }  # fmt: skip


def _hover(point: Point, cost: Objective, gain: Objective, test: Objective | None = None) -> str:
    """Short lines: a phone is narrow."""
    lines = [f"{cost.label} {cost.full(point.values[cost.name])}", f"{gain.label} {gain.full(point.values[gain.name])}"]
    if point.measured is not None:
        lines.insert(1, f"measured {cost.full(point.measured)}")
    if test is not None and test.name in point.extras:
        lines.append(f"{test.label} {test.full(point.extras[test.name])}")
    return "<br>".join(escape(line) for line in (*lines, *(point.description.lines or (point.description.summary,))))


def _window(data: ReportData, gain: Objective) -> tuple[float, float] | None:
    """The part of the gain axis worth looking at: the fronts, and below them as much again; failed architectures would squash it."""
    values = [q * gain.factor for p in (*data.front, *data.baseline) for q in (p.values[gain.name].low, p.values[gain.name].high)]
    if len(data.front) < 2 or not gain.maximize:
        return None
    low, high = min(values), max(values)
    if high <= low:
        return None
    lowest = min((p.values[gain.name].value * gain.factor for p in data.evaluated), default=low)
    margin = 0.06 * (high - low)
    top = min(high + margin, 100 + margin) if gain.is_percent else high + margin
    return max(lowest, low - 0.6 * (high - low)) - margin, top


def below_window(data: ReportData) -> int:
    """How many evaluated points lie below the part of the figure that is shown first."""
    window = _window(data, data.gain) if data.gain else None
    if window is None or data.gain is None:
        return 0
    return sum(p.values[data.gain.name].value * data.gain.factor < window[0] for p in data.evaluated)
