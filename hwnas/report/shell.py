"""What all pages share: template, style, script and library put into one self-contained text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata, resources
from typing import Any

from hwnas.report import formats
from hwnas.report.drawing import Figure
from hwnas.report.embed import policy, safe_json, safe_script


def page(template: str, figures: Mapping[str, Figure], *, scripted: bool, plotly_js: str | None = None, **context: Any) -> str:
    """A template filled with its context, the figures and, where anything moves, the scripts.

    `plotly_js` replaces the library that the plotly package brings (for tests).
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    scripts = [safe_script(_plotly() if plotly_js is None else plotly_js), safe_script(_read("page.js"))] if figures or scripted else []
    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(signed=formats.signed, file_size=formats.file_size)
    return environment.get_template(template).render(
        figures=figures, figures_json=Markup(safe_json(figures)), scripts=[Markup(script) for script in scripts],
        style=Markup(_read("style.css")), policy=policy(scripts), version=_version(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), **context,
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
