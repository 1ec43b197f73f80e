"""The report of a run for several devices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.objectives import Objective
from hwnas.report import write_report
from hwnas.report.data import collect
from hwnas.report.devices import device_fronts, devices_caption, devices_figure
from hwnas.report.markdown import markdown
from hwnas.report.naming import axes, objective
from hwnas.report.page import render
from hwnas.report.picks import recommend
from hwnas.report.texts import context
from hwnas.run import Run
from hwnas.storage import Evaluation


def nothing(archs: Any) -> Any:
    raise AssertionError(archs)


def cost(name: str, device: str, unit: str = "ms", **more: Any) -> Objective:
    return Objective(name, unit, "min", False, nothing, details={"device": device, **more})


NAMES = ["pi_latency_ms", "xeon_latency_ms"]
OBJECTIVES = [
    Objective("accuracy", "", "max", True, nothing, origin="measured"), cost("pi_latency_ms", "pi"), cost("xeon_latency_ms", "xeon"),
    cost("worst_latency_ms", "worst", worst_of=NAMES, references=[1.0, 1.0]),
]  # fmt: skip


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    """What is fast on one device need not be on the other."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(1, 61):
        accuracy, pi, xeon = 0.7 + 0.005 * i * rng.random(), 5 + 0.3 * i * rng.random(), 3 + 0.5 * i * rng.random()
        both = [(value, 0.95 * value, 1.05 * value) for value in (pi, xeon)]
        worst = tuple(max(ends) for ends in zip(*both, strict=True))
        rows.append(Evaluation(i, (i % 4, i // 4), ((accuracy, accuracy - 0.01, accuracy + 0.01), *both, worst), "ok"))  # type: ignore[arg-type]
    reference = {"accuracy": 0.0, **{o.name: 40.0 for o in OBJECTIVES[1:]}}
    return make_run(rows, objectives=OBJECTIVES, space={"kind": "unknown"}, constraints=[], device=None, hypervolume_reference=reference)


def test_names_say_which_device_is_meant() -> None:
    found = [objective(o.spec()) for o in OBJECTIVES]
    assert [o.axis for o in found[1:]] == ["Latency on pi (ms)", "Latency on xeon (ms)", "Latency on the worst device (ms)"]
    assert all(o.is_time for o in found[1:])
    share = objective(cost("worst_latency_share", "worst", "").spec())
    assert share.axis == "Latency share on the worst device"
    gain, main = axes(found)
    assert gain is found[0]
    assert main is found[3]
    assert axes(found, "pi_latency_ms")[1] is found[1]
    with pytest.raises(InputError, match="unknown cost 'tpu_latency_ms': did you mean"):
        axes(found, "tpu_latency_ms")


def test_every_device_has_its_front_in_the_figure_and_so_has_the_worst(run: Run) -> None:
    data = collect(run, run.path / "report.html")
    assert data.device == "pi and xeon"
    assert data.cost is not None
    assert data.cost.name == "worst_latency_ms"
    fronts, figure = run.fronts(), devices_figure(data)
    assert figure is not None
    assert [trace["name"] for trace in figure["data"]] == ["pi", "xeon", "worst device"]
    assert len({(t["marker"]["symbol"], t["line"]["dash"]) for t in figure["data"]}) == 3
    whole = run.front()
    for trace, front in zip(figure["data"], fronts.values(), strict=True):
        assert trace["x"] == front.values[:, 1].tolist()
        assert [whole[number].architecture for number in trace["customdata"]] == [point.architecture for point in front]
    assert re.search(rf"pi {len(fronts['pi'])} points?, xeon {len(fronts['xeon'])} points? and worst device", devices_caption(data))


def test_one_device_alone_is_a_report_of_its_front(run: Run) -> None:
    data = collect(run, run.path / "report.html", "xeon_latency_ms")
    assert data.device == "xeon"
    assert [o.name for o in data.objectives] == ["accuracy", "xeon_latency_ms"]
    front, whole = run.fronts()["xeon"], run.front()
    assert [point.architecture for point in data.front] == [point.architecture for point in front]
    assert [whole[point.number].architecture for point in data.front] == [point.architecture for point in data.front]
    assert data.front[data.knee].architecture == front.knee().architecture
    assert devices_figure(data) is None
    assert all(point.chance is None for point in data.front)
    texts = context(data, recommend(data))
    assert texts["export"].endswith(f"--pick {data.front[data.knee].number}")
    assert all(argument.isdigit() for argument in texts["other_picks"])
    assert collect(run, run.path / "report.html", "worst_latency_ms").device == "the worst of pi and xeon"


def test_pages_and_markdown_are_written(run: Run) -> None:
    page = write_report(run.path)
    text = page.read_text()
    assert 'id="chart-devices"' in text
    assert "What to deploy on pi and xeon" in text
    one = write_report(run.path, cost="pi_latency_ms")
    assert one.name == "report-pi_latency_ms.html"
    assert 'id="chart-devices"' not in one.read_text()
    assert "hwnas verify" not in text.split('id="main"')[0]
    written = markdown(collect(run, run.path / "report.md"))
    assert "## The front of every device" in written
    with pytest.raises(InputError, match="unknown cost 'latency_ms'"):
        write_report(run.path, cost="latency_ms")


def test_text_of_others_is_escaped(run: Run) -> None:
    data = collect(run, run.path / "report.html")
    hostile = [replace(o, label=f"{o.label}<script>", device=o.device and f"{o.device}</script><b>") for o in data.objectives]
    text = render(replace(data, objectives=hostile, gain=hostile[0], cost=hostile[3]), plotly_js="")
    assert "<script>" not in re.sub(r"<script( type=\"application/json\" id=\"figures\")?>", "", text)
    assert "</script><b>" not in text


def test_a_run_for_one_device_has_no_such_figure(three_run: Run) -> None:
    data = collect(three_run, three_run.path / "report.html")
    assert device_fronts(data) == []
    assert devices_figure(data) is None
    assert not data.partial
    energy = collect(three_run, three_run.path / "report.html", "macs")
    assert energy.cost is not None
    assert energy.cost.name == "macs"
    assert len(energy.front) == len(data.front)
