from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from device_profiles.errors import InputError
from hwnas.report import write_report
from hwnas.report.data import collect
from hwnas.report.model import ReportData
from hwnas.report.paper import picture
from hwnas.run import Run

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def data(full_run: Run) -> ReportData:
    return collect(full_run, full_run.path / "report.html")


@pytest.mark.parametrize(("ending", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_the_main_figure_is_written_by_its_ending(full_run: Run, tmp_path: Path, ending: str, start: bytes) -> None:
    out = tmp_path / f"front{ending}"
    assert write_report(full_run.path, out) == out
    assert out.read_bytes().startswith(start)


def test_the_same_run_gives_the_same_bytes(data: ReportData) -> None:
    assert picture(data, "svg") == picture(data, "svg")


def test_hostile_text_stays_text(data: ReportData, hostile: Callable[[ReportData], ReportData]) -> None:
    tree = ElementTree.fromstring(picture(hostile(data), "svg"))
    assert not [e for e in tree.iter() if e.tag.endswith(("}script", "}image", "}a"))]
    dollars = replace(data, gain=replace(data.gain, label="$\\frac{$ $x$")) if data.gain else data
    assert picture(dollars, "svg").startswith(b"<?xml"), "a dollar sign is no formula"


def test_wide_spans_and_short_fronts_are_drawn(data: ReportData) -> None:
    one = replace(data, front=data.front[:1], knee=0, evaluated=(), baseline=(), references=())
    assert picture(one, "png").startswith(b"\x89PNG")


def test_an_empty_front_is_one_line(data: ReportData) -> None:
    with pytest.raises(InputError, match="there is nothing to draw"):
        picture(replace(data, front=(), evaluated=()), "svg")
