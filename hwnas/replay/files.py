"""A comparison as files: CSV with every course, and one HTML page that needs nothing else."""

from __future__ import annotations

import csv
import html
import io
from pathlib import Path

import numpy as np

from device_profiles.errors import DeviceError, InputError
from hwnas.replay.compare import Comparison

COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#57534e")


def write_files(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Writes `comparison.csv` and `comparison.html` into a folder, which is made; returns their paths. Raises when the disk refuses."""
    home = Path(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
        texts = {"comparison.csv": as_csv(comparison), "comparison.html": as_html(comparison)}
        for name, text in texts.items():
            (home / name).write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise InputError(f"{home} is a file, not a folder") from error
    except OSError as error:
        raise DeviceError(f"cannot write into {home}: {error.strerror}") from error
    return [home / name for name in texts]


def as_csv(comparison: Comparison) -> str:
    """One line per evaluation of every course: algorithm, seed, evaluation, hypervolume, seconds of the algorithm itself."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["algorithm", "seed", "evaluation", "hypervolume", "seconds"])
    for name, courses in comparison.courses.items():
        for course in courses:
            rows = zip(course.hypervolume.tolist(), course.seconds.tolist(), strict=True)
            writer.writerows([name, course.seed, i, volume, seconds] for i, (volume, seconds) in enumerate(rows, 1))
    return text.getvalue()


def as_html(comparison: Comparison) -> str:
    """The page: what was compared, the table of results, and two pictures drawn as SVG."""
    facts = ", ".join(f"{name} ({variant})" if variant else name for name, variant in comparison.objectives.items())
    reference = ", ".join(f"{name} {value:.4g}" for name, value in comparison.reference.items())
    seeds = len(next(iter(comparison.courses.values())))
    about = f"{facts}; reference {reference}; {seeds} seeds; {comparison.evaluations} evaluations; median and middle half"
    if comparison.constraints:
        about += "; " + ", ".join(comparison.constraints)
    if comparison.left_out:
        about += f"; {comparison.left_out} rows without one of them left out"
    head = ["algorithm", "evaluations to 99 %", "hypervolume at the end", "middle half", "own seconds", "p against random"]
    body = "".join(
        f"<tr><td>{html.escape(r['algorithm'])}</td><td>{_number(r['evaluations_to_99'])}</td><td>{r['hypervolume']:.4f}</td>"
        f"<td>{r['hypervolume_low']:.4f} to {r['hypervolume_high']:.4f}</td><td>{r['seconds']:.3g}</td>"
        f"<td>{_number(r['p_against_random'])}</td></tr>"
        for r in comparison.rows()
    )
    cells = "".join(f"<th>{name}</th>" for name in head)
    style = "body{font:15px sans-serif;margin:2em;max-width:60em}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:left}"
    title = html.escape(comparison.table)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: comparison</title><style>{style}</style>'
        f"<h1>{title}</h1><p>{html.escape(about)}</p><table><tr>{cells}</tr>{body}</table>"
        f"<h2>Hypervolume against evaluations</h2>{_picture(comparison, 'evaluations')}"
        f"<h2>Hypervolume against the algorithm's own seconds</h2>{_picture(comparison, 'seconds')}</html>\n"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1 else f"{value:.0f}"


def _picture(comparison: Comparison, against: str) -> str:
    """Share of the true front's hypervolume, with the band over the seeds, against evaluations or seconds on a logarithmic axis."""
    curves = {}
    for name, courses in comparison.courses.items():
        band = comparison.band(name)
        if against == "seconds":
            longest = max(courses, key=lambda course: len(course.seconds))
            x = np.maximum(longest.seconds, 1e-6)
        else:
            x = np.arange(1, band.shape[1] + 1, dtype=np.float64)
        some = np.unique(np.linspace(0, len(x) - 1, min(len(x), 300)).astype(int))  # a picture has no more pixels
        curves[name] = np.log10(x[some]), band[:, some]
    low, high = min(x[0] for x, _ in curves.values()), max(x[-1] for x, _ in curves.values())
    parts = [_axes(float(low), float(high), against)]
    for (name, (x, band)), colour, row in zip(curves.items(), COLOURS * len(curves), range(len(curves)), strict=False):
        across, down = 60 + 600 * (x - low) / ((high - low) or 1.0), 320 - 300 * np.clip(band, 0, 1)
        edge = [*zip(across, down[0], strict=True), *zip(across[::-1], down[2][::-1], strict=True)]
        parts.append(f'<polygon points="{_points(edge)}" fill="{colour}" opacity="0.15"/>')
        parts.append(
            f'<polyline points="{_points(list(zip(across, down[1], strict=True)))}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(f'<text x="680" y="{30 + 20 * row}" fill="{colour}">{html.escape(name)}</text>')
    return f'<svg viewBox="0 0 820 370" role="img" aria-label="hypervolume against {against}" font-size="13">{"".join(parts)}</svg>'


def _axes(low: float, high: float, title: str) -> str:
    lines = ['<path d="M60 20V320H660" fill="none" stroke="#888"/>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = 320 - 300 * share
        lines.append(f'<path d="M60 {y}H660" stroke="#ddd"/><text x="52" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for power in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        x = 60 + 600 * (power - low) / ((high - low) or 1.0)
        lines.append(f'<text x="{x:.0f}" y="340" text-anchor="middle">{10.0**power:g}</text>')
    return "".join(lines) + f'<text x="360" y="362" text-anchor="middle">{title}</text>'


def _points(pairs: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
