"""The picture of a comparison, drawn as SVG: how much of the true front's hypervolume is still missing."""

from __future__ import annotations

import html

import numpy as np

from hwnas.objectives import Floats
from hwnas.replay.compare import Comparison

COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#57534e")
#: The smallest missing share that is told from none.
LEAST = 1e-3
#: Points of a curve: a picture has no more pixels.
POINTS = 300
WIDTH, HEIGHT = 820, 370
LEFT, RIGHT, TOP, BOTTOM = 64, 660, 20, 320


def svg(comparison: Comparison, against: str = "evaluations") -> str:
    """Median over the seeds with its band, on logarithmic axes, against `evaluations` or the algorithm's own `seconds`."""
    curves = {name: _curve(comparison, name, against) for name in comparison.courses}
    low, high = min(x[0] for x, _ in curves.values()), max(x[-1] for x, _ in curves.values())
    across, parts = (RIGHT - LEFT) / ((high - low) or 1.0), [_axes(float(low), float(high), against)]
    for row, (name, (x, band)) in enumerate(curves.items()):
        colour, places = COLOURS[row % len(COLOURS)], LEFT + across * (x - low)
        edge = [*zip(places, band[0], strict=True), *zip(places[::-1], band[2][::-1], strict=True)]
        parts.append(f'<polygon points="{_points(edge)}" fill="{colour}" opacity="0.15"/>')
        line = _points(list(zip(places, band[1], strict=True)))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{RIGHT + 16}" y="{30 + 20 * row}" fill="{colour}">{html.escape(name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="13" '
        f'aria-label="missing hypervolume against {against}"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(parts)}</svg>'
    )


def _curve(comparison: Comparison, name: str, against: str) -> tuple[Floats, Floats]:
    """The logarithm of what it is drawn against, `(k,)`, and the heights of low quantile, median and high quantile, `(3, k)`."""
    band = comparison.band(name)
    x = np.arange(1, band.shape[1] + 1, dtype=np.float64)
    if against == "seconds":
        longest = max(comparison.courses[name], key=lambda course: len(course.seconds))
        x = np.maximum(longest.seconds, 1e-6)
    some = np.arange(len(x)) if len(x) <= POINTS else np.unique(np.rint(np.geomspace(1, len(x), POINTS)).astype(int)) - 1
    return np.log10(x[some]), _height(1.0 - band[:, some])


def _height(missing: Floats) -> Floats:
    """Where a missing share is drawn: all of it on top, `LEAST` and less at the bottom."""
    place: Floats = TOP + (BOTTOM - TOP) * np.log10(np.clip(missing, LEAST, 1.0)) / np.log10(LEAST)
    return place


def _axes(low: float, high: float, title: str) -> str:
    lines = [f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#888"/>']
    for share in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, LEAST):
        y = float(_height(np.array(share)))
        lines.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="#ddd"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{100 * share:g} %</text>')
    for power in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        x = LEFT + (RIGHT - LEFT) * (power - low) / ((high - low) or 1.0)
        lines.append(f'<text x="{x:.0f}" y="{BOTTOM + 20}" text-anchor="middle">{10.0**power:g}</text>')
    title = f"{title}; missing share of the true front's hypervolume, median and middle half of the seeds"
    lines.append(f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{BOTTOM + 42}" text-anchor="middle">{html.escape(title)}</text>')
    return "".join(lines)


def _points(pairs: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
