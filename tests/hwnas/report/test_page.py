from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from device_profiles.errors import InputError
from hwnas.report import write_report
from hwnas.report.data import collect
from hwnas.report.model import Missing, ReportData
from hwnas.report.page import render
from hwnas.run import Run

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, attribute: str) -> list[str]:
        """The values of an attribute, in order."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def page_of(data: ReportData) -> tuple[str, Page]:
    text = render(data, plotly_js="// the library")
    return text, Page(text)


@pytest.fixture(scope="module")
def data(full_run: Run) -> ReportData:
    return collect(full_run, full_run.path / "report.html")


def test_the_page_answers_the_questions(data: ReportData) -> None:
    _, page = page_of(data)
    words = " ".join(page.text.split())
    for expected in (
        "What to deploy on xeon-2.80ghz/onnxruntime/1t", "digits", "Verified:", "Fastest within one point of the best", "Knee",
        "networks that need no search",
        data.models[0].name, "front.csv", "Measured twice", "profiling",
        "1 min 23 s", "Hypervolume reference", "accuracy 0; latency_ms 0.2",
        "3f1a9c0b7e",
    ):  # fmt: skip
        assert expected in words, expected
    assert "hwnas verify" not in words


def test_every_point_is_a_row_with_sortable_numbers_and_details(data: ReportData) -> None:
    _, page = page_of(data)
    assert page.all("id").count("point-0") == 1
    rows = [attributes for tag, attributes in page.elements if tag == "tbody" and attributes.get("id", "").startswith("point-")]
    assert len(rows) == len(data.front)
    values = [float(value) for value in page.all("data-value")]
    assert all(point.values["latency_ms"].value in values for point in data.front)


def test_the_page_is_well_formed_and_its_inner_links_lead_somewhere(data: ReportData) -> None:
    _, page = page_of(data)
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    inner = [link[1:] for link in page.all("href") if link.startswith("#")]
    assert {*inner, *page.all("aria-controls"), *page.all("aria-labelledby"), *page.all("data-open")} <= set(ids)
    assert len([tag for tag, _ in page.elements if tag == "h1"]) == 1
    assert all(tag == "th" for tag, attributes in page.elements if "scope" in attributes)


def test_nothing_is_fetched(full_run: Run) -> None:
    """No address in any attribute leads outside, and the policy forbids the rest."""
    page = Page(write_report(full_run.path).read_text(encoding="utf-8"))
    assert page.all("src") == []
    assert all(link.startswith(("#", "./", "data:,")) for link in page.all("href"))
    assert any(content.startswith("default-src 'none'; script-src 'sha256-") for content in page.all("content"))


def test_a_full_page_is_small(full_run: Run, data: ReportData) -> None:
    plotly = write_report(full_run.path).stat().st_size - len(render(data, plotly_js="").encode())
    many = replace(data, front=[replace(data.front[i % len(data.front)], number=i) for i in range(200)])
    assert plotly + len(render(many, plotly_js="").encode()) < 6e6


def test_no_text_becomes_markup(data: ReportData, hostile: Callable[[ReportData], ReportData]) -> None:
    text, page = page_of(hostile(data))
    _, friendly = page_of(data)
    assert "alert(1)" in page.text, "the text is shown"
    assert "<script>alert" not in text
    assert "<img" not in text
    assert not [attribute for _, attributes in page.elements for attribute in attributes if attribute.startswith("on")]
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in friendly.elements} | {"ul", "li", "p"}
    assert "49" not in text.split("{{ 7")[0][-5:], "template syntax in data is not executed"
    assert text.count("<script") == 3


@pytest.mark.parametrize("piece", ["verification", "evaluations", "front", "baseline", "references", "phases", "models", "audit"])
def test_a_missing_piece_is_named_with_its_command(data: ReportData, piece: str) -> None:
    bare = replace(
        data, front=(), evaluated=(), baseline=(), baseline_course=None, search_course=None, verification=None, phases=(), models=(),
        counts={},
        missing={piece: Missing(f"no {piece} here", f"hwnas make {piece}")},
    )  # fmt: skip
    words = " ".join(page_of(bare)[1].text.split())
    assert f"no {piece} here Next: hwnas make {piece}" in words


def test_one_objective_alone_is_a_table_without_figures(data: ReportData) -> None:
    lonely = replace(
        data, objectives=data.objectives[:1], gain=data.gain, cost=None, search_course=None, baseline_course=None, verification=None
    )
    _, page = page_of(lonely)
    assert not page.all("data-figure")
    assert len([tag for tag, attributes in page.elements if tag == "tr" and attributes.get("class") == "point"]) == len(data.front)


@pytest.mark.parametrize("n", [1, 2])
def test_short_fronts(data: ReportData, n: int) -> None:
    _, page = page_of(replace(data, front=data.front[:n], knee=0))
    assert page.all("data-figure") == ["front", "verification", "course"]


def test_the_page_is_written_whole_or_not_at_all(full_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "new" / "page.html"
    assert write_report(full_run.path, out) == out
    before = out.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"cannot write .*page\.html: No space left on device"):
        write_report(full_run.path, out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


def test_places_that_cannot_be_written(full_run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"):
        write_report(full_run.path, tmp_path / "file" / "page.html")
    with pytest.raises(InputError, match="it is a folder"):
        write_report(full_run.path, tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run"):
        write_report(tmp_path)


def test_a_run_from_end_to_end_without_extras(make_run: Callable[..., Run]) -> None:
    page = Page(write_report(make_run([], stopped=None).path).read_text(encoding="utf-8"))
    assert "nothing has been evaluated yet" in page.text


def test_a_package_that_is_not_installed_is_named(full_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InputError, match=r"a report needs jinja2: pip install 'hwnas\[report\]'"):
        write_report(full_run.path)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "plotly", "jinja2", "pandas", "torch", "numpy"
    code = f"import sys, hwnas.report; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_chance_of_every_point_and_what_corrections_changed_are_on_the_page(data: ReportData) -> None:
    assert all(point.chance is not None for point in data.front)
    searched = {"within_10": 0.421, "mape": 0.137}
    assert data.verification is not None
    corrected = replace(data, verification=replace(data.verification, searched=searched, rounds=3))
    for shown, expected in ((data, False), (corrected, True)):
        words = " ".join(page_of(shown)[1].text.split())
        assert "is the chance that no evaluated architecture beats the point" in words
        assert ("within 10 %, as the search predicted42.1 %" in words) == expected  # the cells of a table
        assert ("the predictor was corrected in between, in 3 rounds of measuring" in words) == expected
