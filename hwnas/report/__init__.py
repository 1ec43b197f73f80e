"""The report of a run: one HTML page that opens offline. Plotly and jinja2 are imported when a page is written, not before."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_report"]


def write_report(run_path: Path, out: Path | None = None) -> Path:
    """Write the report of the run in `run_path` to `out` (by default `report.html` in the run folder) and return where it is.

    The page is one self-contained file; it appears whole or not at all. What the run does not hold yet (a verification, a baseline) the
    page names, with the command that adds it. Raises InputError when there is no run, when `out` cannot be written, and when the report
    packages are not installed.
    """
    from device_profiles.errors import InputError
    from hwnas.report.data import collect
    from hwnas.report.files import write_atomically
    from hwnas.report.page import render
    from hwnas.run import Run

    run = Run.open(run_path)
    page = Path(out) if out is not None else run.path / "report.html"
    if page.is_dir():
        raise InputError(f"cannot write {page}: it is a folder; name the file, such as {page / 'report.html'}")
    try:
        text = render(collect(run, page))
    except ModuleNotFoundError as error:
        raise InputError(f"a report needs {error.name}: pip install 'hwnas[report]'") from error
    write_atomically(page, text)
    return page
