from __future__ import annotations

from dataclasses import replace

import pytest

from hwnas.report.data import collect
from hwnas.report.model import ReportData
from hwnas.report.parallel import parallel_figure
from hwnas.report.picks import recommend
from hwnas.run import Run


@pytest.fixture(scope="module")
def data(three_run: Run) -> ReportData:
    return collect(three_run, three_run.path / "report.html")


def test_every_point_is_a_line_across_every_objective_and_up_is_better(data: ReportData) -> None:
    figure = parallel_figure(data, recommend(data))
    assert figure is not None
    heights = {}
    for trace in figure["data"]:
        for x, y, number in zip(trace["x"], trace["y"], trace["customdata"], strict=True):
            if x is not None:
                heights.setdefault(number, {})[int(x)] = y
    assert sorted(heights) == [point.number for point in data.front]
    assert all(0 <= y <= 1 and len(line) == 3 for line in heights.values() for y in line.values())
    best = max(data.front, key=lambda p: p.values["accuracy"].value)
    fastest = min(data.front, key=lambda p: p.values["latency_ms"].value)
    assert heights[best.number][0] == 1
    assert heights[fastest.number][1] == 1


def test_picks_differ_in_more_than_colour(data: ReportData) -> None:
    figure = parallel_figure(data, recommend(data))
    assert figure is not None
    named = [trace for trace in figure["data"] if trace["name"] != "front"]
    assert len({trace["line"]["dash"] for trace in named}) == len(named)
    assert {name for trace in named for name in trace["name"].split(", ")} == {"best", "cheapest", "knee", "fastest"}


def test_two_objectives_or_one_point_need_no_such_figure(data: ReportData, full_run: Run) -> None:
    two = collect(full_run, full_run.path / "report.html")
    assert parallel_figure(two, recommend(two)) is None
    one = replace(data, front=data.front[:1], knee=0)
    assert parallel_figure(one, recommend(one)) is None


def test_hostile_names_are_escaped(data: ReportData) -> None:
    objectives = [replace(o, label="<a href='x'>", unit="<b>") for o in data.objectives]
    figure = parallel_figure(replace(data, objectives=objectives), [])
    assert figure is not None
    assert "<a" not in str(figure)
    assert "<b>" not in str(figure)
