"""The main figure as a picture for a paper, drawn from the same traces as the page, by matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

from device_profiles.errors import InputError
from hwnas.report.charts import front_figure
from hwnas.report.model import ReportData
from hwnas.report.picks import recommend

#: Inches; a column of a journal is about three and a half wide, a page about seven.
SIZE = (5.6, 3.7)
#: The names of colours in the figures, as ink that survives grey printing.
COLORS = {"@front": "#14507a", "@random": "#b0500f", "@hand": "#6a3d9a", "@ink": "#1b1f24", "@faint": "#9aa3ab"}
MARKERS = {"circle": "o", "square-open": "s", "triangle-up-open": "^", "x-thin": "x", "circle-open": "o"}
DASHES = {"solid": "-", "dash": "--", "dot": ":"}
#: Behind the names of recommended points.
HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
#: Points of text, as most papers set their captions.
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "hwnas",
    "text.parse_math": False,
}


def picture(data: ReportData, kind: str) -> bytes:
    """The main figure as `svg`, `png` or `pdf`; the same run gives the same bytes.

    Raises InputError when there is nothing to draw.
    """
    figure = front_figure(data, recommend(data))
    if figure is None:
        raise InputError(f"there is nothing to draw: no evaluated architecture of {data.name} has both an accuracy and a cost")
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        canvas = Figure(figsize=SIZE, layout="constrained")
        axes = canvas.add_subplot()
        for trace in figure["data"]:
            _draw(axes, trace)
        _frame(axes, figure["layout"])
        content = io.BytesIO()
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
        canvas.savefig(content, format=kind, dpi=300, metadata=dated)
    return content.getvalue()


def _draw(axes: Any, trace: Mapping[str, Any]) -> None:
    """One trace: marks, the staircase through them, and intervals."""
    marker, line = trace["marker"], trace.get("line", {})
    color, symbol = COLORS[marker["color"]], marker["symbol"]
    hollow = symbol.endswith("open")
    joined = "lines" in trace["mode"]
    axes.plot(
        trace["x"], trace["y"], linestyle=DASHES[line.get("dash", "solid")] if joined else "none", drawstyle="steps-post", color=color,
        linewidth=line.get("width", 1.5) * 0.7, marker=MARKERS[symbol], markersize=marker["size"] * 0.55, alpha=marker.get("opacity", 1),
        markerfacecolor="none" if hollow else color, markeredgewidth=0.8, label=unescape(trace["name"]),
        zorder=1 if trace["name"] == "evaluated" else 3,
    )  # fmt: skip
    for name, offset in (("error_x", "xerr"), ("error_y", "yerr")):
        if name in trace:
            spans = [trace[name]["arrayminus"], trace[name]["array"]]
            axes.errorbar(trace["x"], trace["y"], **{offset: spans}, fmt="none", ecolor=color, elinewidth=0.6, zorder=2)


def _frame(axes: Any, layout: Mapping[str, Any]) -> None:
    x, y = layout["xaxis"], layout["yaxis"]
    axes.set_xlabel(unescape(x["title"]["text"]))
    axes.set_ylabel(unescape(y["title"]["text"]))
    log = x.get("type") == "log"
    if log:
        axes.set_xscale("log")
        axes.set_xticks(x["tickvals"], x["ticktext"])
        axes.minorticks_off()
    elif x.get("rangemode") == "tozero":
        axes.set_xlim(left=0)
    if "range" in y:
        axes.set_ylim(*y["range"])
    for note in layout.get("annotations", ()):
        _name(axes, note, log)
    axes.grid(color="#e9ebed", linewidth=0.6)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles, labels, frameon=False, fontsize=8, loc="lower right")


def _name(axes: Any, note: Mapping[str, Any], log: bool) -> None:
    """The name of a recommended point, where the page puts it."""
    place: Sequence[float] = (10 ** note["x"] if log else note["x"], note["y"])
    text = unescape(note["text"].removeprefix("<b>").removesuffix("</b>"))
    if all(map(math.isfinite, place)):
        offset = (note["xshift"] * 0.6, note["yshift"] * 0.6)
        axes.annotate(
            text, place, offset, textcoords="offset points", ha=note["xanchor"], va="center", fontsize=8, fontweight="bold", bbox=HALO
        )
