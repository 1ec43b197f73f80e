"""A comparison as files: CSV with every course, one HTML page that needs nothing else, and the picture alone."""

from __future__ import annotations

import csv
import html
import io
from pathlib import Path

from device_profiles.errors import DeviceError, InputError
from hwnas.replay.compare import Comparison
from hwnas.replay.picture import svg


def write_files(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Writes `comparison.csv`, `.html` and `.svg` into a folder, which is made; returns their paths. Raises when the disk refuses."""
    home = Path(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
        texts = {"comparison.csv": as_csv(comparison), "comparison.html": as_html(comparison), "comparison.svg": svg(comparison) + "\n"}
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
        f"<h2>Hypervolume against evaluations</h2>{svg(comparison)}"
        f"<h2>Hypervolume against the algorithm's own seconds</h2>{svg(comparison, 'seconds')}</html>\n"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1 else f"{value:.0f}"
