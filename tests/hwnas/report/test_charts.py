from __future__ import annotations

from dataclasses import replace

import pytest

from device_profiles.quantity import Quantity
from hwnas.report.architectures import Description
from hwnas.report.charts import below_window, course_figure, front_figure, verification_figure
from hwnas.report.data import collect
from hwnas.report.model import Course, Pair, Point, ReportData, Verification
from hwnas.report.picks import recommend
from hwnas.run import Run


@pytest.fixture(scope="module")
def data(full_run: Run) -> ReportData:
    return collect(full_run, full_run.path / "report.html")


def traces(data: ReportData) -> dict[str, dict]:  # type: ignore[type-arg]
    figure = front_figure(data, recommend(data))
    assert figure is not None
    return {trace["name"]: trace for trace in figure["data"]}


def test_the_front_is_drawn_in_percent_and_ms_with_intervals_both_ways(full_run: Run, data: ReportData) -> None:
    front, drawn = full_run.front(), traces(data)["front"]
    assert drawn["x"] == pytest.approx(front.values[:, 1])
    assert drawn["y"] == pytest.approx(front.values[:, 0] * 100)
    assert drawn["error_x"]["array"] == pytest.approx(front.highs[:, 1] - front.values[:, 1])
    assert drawn["error_y"]["arrayminus"] == pytest.approx(100 * (front.values[:, 0] - front.lows[:, 0]))


def test_everything_evaluated_and_the_baseline_stand_behind_the_front(full_run: Run, data: ReportData) -> None:
    names = list(traces(data))
    assert names == ["evaluated", "random search", "scaled by hand", "front", "measured", "recommended"]
    assert len(traces(data)["evaluated"]["x"]) == 240 - len(full_run.front())
    assert len(traces(data)["random search"]["x"]) == len(Run.open(full_run.path / "baseline").front())


def test_series_differ_in_more_than_colour(data: ReportData) -> None:
    drawn = traces(data).values()
    assert len({trace["marker"]["symbol"] for trace in drawn} | {"circle"}) >= 4
    assert traces(data)["random search"]["line"]["dash"] == "dash"


def test_a_missing_piece_leaves_no_empty_entry_in_the_legend(data: ReportData) -> None:
    bare = replace(data, baseline=(), references=(), evaluated=(), front=[replace(point, measured=None) for point in data.front])
    assert list(traces(bare)) == ["front", "recommended"]
    assert front_figure(replace(bare, front=()), []) is None
    assert front_figure(replace(data, cost=None), []) is None


def test_hover_texts_are_escaped(data: ReportData) -> None:
    hostile = Description("<a href='https://evil.example'>x</a>", ("<b>bold</b> & more",))
    front = [replace(point, description=hostile) for point in data.front]
    for trace in traces(replace(data, front=front, evaluated=front)).values():
        for text in trace.get("text", []):
            assert "<a" not in text
            assert "<b>" not in text


def test_more_than_two_objectives_are_not_joined_by_a_line(data: ReportData) -> None:
    assert traces(replace(data, objectives=[*data.objectives, data.objectives[1]]))["front"]["mode"] == "markers"


def test_hopeless_architectures_do_not_squash_the_front(data: ReportData) -> None:
    hopeless = replace(data.front[0], values={**data.front[0].values, "accuracy": Quantity(0.1, 0.08, 0.12, "measured")})
    crowd = replace(data, evaluated=[*data.evaluated, hopeless])
    figure = front_figure(crowd, [])
    assert figure is not None
    assert figure["layout"]["yaxis"]["range"][0] > 50
    assert below_window(crowd) == below_window(data) + 1


def test_a_wide_span_gets_a_logarithmic_axis(data: ReportData) -> None:
    wide = [
        Point((i,), {"latency_ms": Quantity(x, x, x, "predicted"), "accuracy": Quantity(y, y, y, "measured")})
        for i, (x, y) in enumerate([(1.0, 0.5), (100.0, 0.9)])
    ]
    figure = front_figure(replace(data, front=wide, evaluated=(), baseline=(), references=()), [])
    assert figure is not None
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert figure["layout"]["xaxis"]["ticktext"] == ["0.5", "1", "2", "5", "10", "20", "50", "100", "200"]
    narrow = front_figure(data, [])
    assert narrow is not None
    assert narrow["layout"]["xaxis"].get("type") != "log"


def test_predictions_stand_against_measurements_with_a_ten_percent_band(data: ReportData) -> None:
    assert data.cost is not None
    pairs = [Pair((0,), "front", Quantity(2.0, 1.9, 2.1, "predicted"), Quantity(2.2, 2.1, 2.3, "measured"))]
    figure = verification_figure(Verification(True, (), pairs, {}, {}, ()), data.cost)
    assert figure is not None
    upper, lower, exact, points = figure["data"]
    assert points["x"] == [2.0]
    assert points["y"] == [2.2]
    assert exact["x"] == exact["y"]
    # The band holds what is within 10 % of the measurement: predicted / measured between 0.9 and 1.1.
    assert upper["y"][0] == pytest.approx(upper["x"][0] / 0.9)
    assert lower["y"][0] == pytest.approx(lower["x"][0] / 1.1)
    assert verification_figure(Verification(True, (), (), {}, {}, ()), data.cost) is None


def test_the_course_of_one_search_is_enough() -> None:
    figure = course_figure(Course([1, 2], [0.1, 0.2]), None)
    assert figure is not None
    assert [trace["name"] for trace in figure["data"]] == ["search"]
    assert course_figure(None, None) is None
