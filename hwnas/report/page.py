"""The HTML of a report: template, style, script and figures put into one page."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import metadata, resources

from hwnas.report import formats
from hwnas.report.charts import course_figure, front_figure, verification_figure
from hwnas.report.embed import policy, safe_json, safe_script
from hwnas.report.model import Objective, ReportData
from hwnas.report.naming import LATENCY
from hwnas.report.picks import recommend
from hwnas.report.texts import context
from hwnas.report.verification import score_rows, verdict

#: How the re-measured cost is written when the run's first cost cannot tell.
MILLISECONDS = Objective(LATENCY, "Latency", "ms", False)

SECTIONS = (
    ("picks", "Recommended"), ("front", "Front"), ("trust", "Predicted and measured"), ("points", "Every point"),
    ("course", "Search"), ("ledger", "Time"), ("provenance", "Provenance"),
)  # fmt: skip


def render(data: ReportData, plotly_js: str | None = None) -> str:
    """The page as one text. `plotly_js` replaces the library that the plotly package brings (for tests)."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    picks = recommend(data)
    verified = next((o for o in data.objectives if o.name == LATENCY), MILLISECONDS)
    drawn = {
        "front": front_figure(data, picks),
        "verification": verification_figure(data.verification, verified) if data.verification else None,
        "course": course_figure(data.search_course, data.baseline_course),
    }
    figures = {name: figure for name, figure in drawn.items() if figure is not None}
    scripts = [safe_script(_plotly() if plotly_js is None else plotly_js), safe_script(_read("page.js"))] if figures or data.front else []
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters.update(signed=formats.signed, file_size=formats.file_size)
    return environment.from_string(_read("page.html.j2")).render(
        data=data, figures=figures, figures_json=Markup(safe_json(figures)), scripts=[Markup(script) for script in scripts],
        style=Markup(_read("style.css")), policy=policy(scripts), sections=SECTIONS, verified=verified,
        verdict=verdict(data.verification, len(data.front)),
        scores=score_rows(data.verification) if data.verification else [], version=_version(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), **context(data, picks),
    )  # fmt: skip


def _read(name: str) -> str:
    return resources.files("hwnas.report").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _version() -> str:
    try:
        return metadata.version("hwnas")
    except metadata.PackageNotFoundError:
        return "from a source tree"
