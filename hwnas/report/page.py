"""The report of one run as HTML."""

from __future__ import annotations

from hwnas.report.charts import course_figure, front_figure, verification_figure
from hwnas.report.devices import devices_figure
from hwnas.report.model import Objective, ReportData
from hwnas.report.naming import LATENCY
from hwnas.report.parallel import parallel_figure
from hwnas.report.picks import recommend
from hwnas.report.shell import page
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
    picks = recommend(data)
    verified = next((o for o in data.objectives if o.name == LATENCY), MILLISECONDS)
    drawn = {
        "front": front_figure(data, picks),
        "devices": devices_figure(data),
        "parallel": parallel_figure(data, picks),
        "verification": verification_figure(data.verification, verified) if data.verification else None,
        "course": course_figure(data.search_course, data.baseline_course),
    }
    figures = {name: figure for name, figure in drawn.items() if figure is not None}
    return page(
        "page.html.j2", figures, scripted=bool(data.front), plotly_js=plotly_js,
        data=data, sections=SECTIONS, verified=verified, verdict=verdict(data.verification, len(data.front), data.recorded),
        scores=score_rows(data.verification) if data.verification else [], **context(data, picks),
    )  # fmt: skip
