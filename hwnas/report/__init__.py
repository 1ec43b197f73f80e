"""The report of a run: one HTML page that opens offline, the same as Markdown, the main figure for a paper, two runs on one page.

Plotly, jinja2 and matplotlib are imported when something is written, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwnas.report.model import ReportData

__all__ = ["write_comparison", "write_report"]

#: What is written for which ending: pictures of the main figure, and text.
PICTURES = (".svg", ".png", ".pdf")
MARKDOWN = ".md"


def write_report(run_path: Path, out: Path | None = None, cost: str | None = None) -> Path:
    """Write the report of the run in `run_path` to `out` (by default `report.html` in the run folder) and return where it is.

    `cost` names the objective that the figure shows the gain against; with that of one of several devices, or of the worst of them, the
    report is about that device's front (by default `report-<cost>.html`).

    The ending of `out` says what is written: `.md` the report as Markdown; `.svg`, `.png` or `.pdf` the main figure for a paper; anything
    else the page, one self-contained file. It appears whole or not at all. What the run does not hold yet (a verification, a baseline) the
    page names, with the command that adds it. Raises InputError when there is no run, when `out` cannot be written, and when the report
    packages are not installed, or the run has no such cost.
    """
    from hwnas.objectives import check_name
    from hwnas.report.data import collect
    from hwnas.run import Run

    run = Run.open(run_path)
    page = _place(out, run.path / ("report.html" if cost is None else f"report-{check_name(cost)}.html"))
    return _written(page, lambda: _content(collect(run, page, cost), page.suffix.lower()))


def write_comparison(first: Path, second: Path, out: Path | None = None) -> Path:
    """Write the page that compares two runs to `out` (by default `compare-<second>.html` in the first run's folder) and return where it is.

    Raises InputError when either holds no run or an empty front, when they share no accuracy and cost, and as `write_report` does.
    """
    from hwnas.report.compare import compare
    from hwnas.report.compare_page import render
    from hwnas.run import Run

    a, b = Run.open(first), Run.open(second)
    page = _place(out, a.path / f"compare-{b.path.resolve().name}.html")
    return _written(page, lambda: render(compare(a, b, page)).encode())


def _place(out: Path | None, otherwise: Path) -> Path:
    from device_profiles.errors import InputError

    page = otherwise if out is None else Path(out)
    if page.is_dir():
        raise InputError(f"cannot write {page}: it is a folder; name the file, such as {page / otherwise.name}")
    return page


def _content(data: ReportData, ending: str) -> bytes:
    """The report in the form that an ending stands for."""
    if ending == MARKDOWN:
        from hwnas.report.markdown import markdown

        return markdown(data).encode()
    if ending in PICTURES:
        from hwnas.report.paper import picture

        return picture(data, ending[1:])
    from hwnas.report.page import render

    return render(data).encode()


def _written(path: Path, make: Callable[[], bytes]) -> Path:
    from device_profiles.errors import InputError
    from hwnas.report.files import write_atomically

    try:
        content = make()
    except ModuleNotFoundError as error:
        raise InputError(f"a report needs {error.name}: pip install 'hwnas[report]'") from error
    write_atomically(path, content)
    return path
