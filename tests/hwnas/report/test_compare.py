from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import InputError
from hwnas.objectives import Objective
from hwnas.report import write_comparison
from hwnas.report.compare import compare
from hwnas.report.compare_page import compare_figure, render
from hwnas.run import Run
from hwnas.storage import Evaluation, Writer

MakeRun = Callable[..., Run]


def page(first: Run, second: Run) -> Any:
    return compare(first, second, first.path / "compare.html")


def test_two_devices_are_named_and_the_same_networks_compared(full_run: Run, three_run: Run) -> None:
    found = page(full_run, three_run)
    assert any("two devices" in note and "cortex-a76" in note for note in found.notes)
    assert found.shared
    assert all(each.times == pytest.approx(2.5, rel=1e-6) for each in found.shared)
    assert "2.5× as much" in found.shared_note
    assert [side.name for side in found.sides] == ["A: digits-nsga2", "B: board"]
    assert (found.gain.name, found.cost.name) == ("accuracy", "latency_ms")


def test_levels_take_the_best_within_each_budget(full_run: Run, three_run: Run) -> None:
    found = page(full_run, three_run)
    budgets = [level.budget for level in found.levels]
    assert budgets == sorted(budgets)
    for level in found.levels:
        for side, point in zip(found.sides, level.points, strict=True):
            within = [p for p in side.data.front if p.values["latency_ms"].value <= level.budget * (1 + 1e-9)]
            best = max((p.values["accuracy"].value for p in within), default=None)
            assert (None if point is None else point.values["accuracy"].value) == best
        assert level.ahead


def test_a_run_against_itself_is_equal_everywhere(full_run: Run) -> None:
    found = page(full_run, full_run)
    assert {level.ahead for level in found.levels} == {"equal"}
    assert found.notes == []
    assert "1.0× as much" in found.shared_note


def test_both_fronts_are_drawn_and_differ_without_colour(full_run: Run, three_run: Run) -> None:
    figure = compare_figure(page(full_run, three_run))
    first, second = figure["data"]
    assert len(first["x"]) == len(full_run.front())
    assert len(second["x"]) == len(three_run.front())
    assert first["marker"]["symbol"] != second["marker"]["symbol"]


def test_the_page_is_one_file_and_names_both(full_run: Run, three_run: Run, tmp_path: Path) -> None:
    out = write_comparison(full_run.path, three_run.path, tmp_path / "c.html")
    text = out.read_text(encoding="utf-8")
    assert len(text) < 6e6
    assert "A: digits-nsga2 against B: board" in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_without_a_place_it_lies_in_the_first_run(full_run: Run, three_run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "first"
    shutil.copytree(full_run.path, copy)
    assert write_comparison(copy, three_run.path) == copy / "compare-board.html"


def test_hostile_names_stay_text(full_run: Run, make_run: MakeRun, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    copy = tmp_path / name
    shutil.copytree(full_run.path, copy)
    with Writer(copy / "run.sqlite") as writer:
        writer.set_spec(device={"name": name}, data={"name": name, "sha256": "other"})
    found = page(full_run, Run.open(copy))
    assert any("different images" in note for note in found.notes)
    text = render(found, plotly_js="")
    assert "<img" not in text
    assert "&lt;img" in text


def evaluation(number: int, accuracy: float, latency: float) -> Evaluation:
    arch = (number % 2, 0, number // 2 % 2, *[0] * 19)
    return Evaluation(number, arch, ((accuracy, accuracy - 0.01, accuracy + 0.01), (latency, latency, latency)), "ok")


def test_fronts_of_one_point_and_searches_that_still_go_on(full_run: Run, make_run: MakeRun) -> None:
    other = make_run([evaluation(1, 0.9, 0.05)], stopped=None)
    found = page(full_run, other)
    assert any("not finished: 1 of 240" in note for note in found.notes)
    assert render(found, plotly_js="")
    alone = page(other, other)
    assert len(alone.levels) == 1


def test_what_cannot_be_compared_is_one_line(full_run: Run, make_run: MakeRun) -> None:
    with pytest.raises(InputError, match="is empty: there is nothing to compare yet"):
        page(full_run, make_run([]))


def test_runs_without_a_common_accuracy_and_cost(full_run: Run, tmp_path: Path) -> None:
    only = Objective("params", "", "min", False, lambda archs: archs[:, 0])
    other = Run.create(tmp_path / "other", dict(full_run.spec), [only])
    with pytest.raises(InputError, match="share no accuracy and cost"):
        page(full_run, other)
