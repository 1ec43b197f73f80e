from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from hwnas.export import metadata
from hwnas.objectives import Objective
from hwnas.report import data as module
from hwnas.report.architectures import Describer
from hwnas.report.data import collect
from hwnas.report.files import links
from hwnas.report.model import ReportData
from hwnas.report.picks import recommend
from hwnas.report.texts import pick_argument
from hwnas.report.verification import score_rows, verdict
from hwnas.run import Run
from hwnas.storage import Evaluation, Writer

MakeRun = Callable[..., Run]


def nothing(archs: Any) -> Any:
    """The function of an objective that is never called."""
    raise AssertionError(archs)


def of(run: Run) -> ReportData:
    return collect(run, run.path / "report.html")


def evaluation(
    number: int, arch: tuple[int, ...], accuracy: float = 0.9, latency: float = 0.05, status: str = "ok", error: str | None = None
) -> Evaluation:
    estimates = ((accuracy, accuracy - 0.01, accuracy + 0.01), (latency, latency * 0.9, latency * 1.1))
    return Evaluation(number, arch, estimates if status != "failed" else (None, None), status, error, "2026-11-21T10:00:00+00:00", 0.1)


@pytest.fixture
def arch() -> Callable[[int], tuple[int, ...]]:
    """Different small architectures of the space: only the width of the first stage and the kernel of its block."""
    return lambda i: (i % 2, 0, i // 2 % 2, *[0] * 19)


def test_a_full_run_misses_nothing(full_run: Run) -> None:
    data = of(full_run)
    assert data.missing == {}
    assert data.device == "xeon-2.80ghz/onnxruntime/1t"
    assert data.when == "2026-11-21 10:00 UTC"
    assert dict(data.facts)["Space"] == "mobilenet, input 1×8×8, 10 classes, 50.3 M architectures"
    assert dict(data.facts)["Data"] == "digits: 1,077 train, 360 validation, 360 test images"
    assert data.knee == full_run.front().knee_index()
    assert [link.name for link in data.files] == ["front.csv", "front.json", "verify.json", "run.sqlite"]
    assert data.baseline_course is not None
    assert (data.baseline_course.evaluations[0], data.baseline_course.evaluations[-1]) == (1, 240)


def test_the_course_keeps_every_step_and_nothing_else(full_run: Run) -> None:
    course = of(full_run).search_course
    assert course is not None
    numbers, volume = full_run.hypervolume_course()
    steps = {int(n): float(v) for n, v in zip(numbers, volume, strict=True)}
    assert len(course.evaluations) < 60
    assert all(steps[n] == v for n, v in zip(course.evaluations, course.hypervolume, strict=True))
    assert set(course.hypervolume) == set(steps.values())


def test_points_carry_measured_and_test_numbers_and_their_network(full_run: Run) -> None:
    front = of(full_run).front
    assert [point.architecture for point in front] == [point.architecture for point in full_run.front()]
    assert all(point.measured and point.measured.origin == "measured" for point in front)
    assert all("test_accuracy" in point.extras for point in front)
    assert all(point.description.macs == sum(part.macs for part in point.description.parts) for point in front)


def test_an_unfinished_bare_run_names_what_is_missing_and_the_commands(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0)), evaluation(2, arch(1), 0.92, 0.06)], stopped=None)
    missing = of(run).missing
    assert set(missing) == {"verification", "evaluations", "baseline", "references", "phases", "models"}
    assert missing["verification"].command == f"hwnas verify {run.path}"
    assert missing["evaluations"].what == "This search is not finished: 2 of 240 evaluations so far."
    assert missing["evaluations"].command.endswith("--out run --resume")
    assert "--algorithm random" in missing["baseline"].command


def test_a_search_that_ended_early_by_itself_is_finished(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))], stopped="exhausted: all 1 architectures of the space were evaluated")
    assert "evaluations" not in of(run).missing


def test_paths_are_quoted_in_commands(make_run: MakeRun, tmp_path: Path, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))])
    moved = Run(run.path.rename(tmp_path / "my run; rm -rf"))
    assert of(moved).missing["verification"].command == f"hwnas verify '{tmp_path}/my run; rm -rf'"


def test_nothing_evaluated_and_nothing_usable_are_told_apart(make_run: MakeRun, arch: Any) -> None:
    run = make_run([])
    assert of(run).missing["front"].what == "The front is empty: nothing has been evaluated yet."
    with Writer(run.database) as writer:
        writer.add([evaluation(1, arch(0), status="infeasible"), evaluation(2, arch(1), status="failed", error="boom")])
    data = of(run)
    assert data.missing["front"].what == "The front is empty: of 2 evaluated architectures, 1 violate a constraint, 1 failed."
    assert data.errors == [("boom", 1)]
    assert len(data.evaluated) == 1, "an infeasible architecture has its numbers and is drawn"


def test_a_damaged_verification_is_named_and_stops_nothing(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))])
    for text in ("{", "[]", '{"verdict": "pass", "points": [{"architecture": [0]}]}', '{"verdict": "pass", "points": [3]}', "\udcff"):
        (run.path / "verify.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        data = of(run)
        assert data.verification is None
        assert "cannot be read" in data.missing["verification"].what


def test_verdicts_in_plain_words(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))])
    assert verdict(of(run).verification, 1) == ("open", "Not verified yet: all costs on this page are predictions.")
    quantity = {"value": 1.0, "low": 0.9, "high": 1.1, "origin": "predicted"}
    slow = {**quantity, "value": 2.0, "high": 2.2, "origin": "measured"}
    points = [{"architecture": list(arch(0)), "role": "front", "predicted_ms": quantity, "measured_ms": slow}]
    found = {
        "verdict": "fail",
        "reasons": ["too slow"],
        "points": points,
        "within_10": 0.0,
        "spearman": None,
        "repeat_ceiling": {"within_10": 1.0},
    }
    (run.path / "verify.json").write_text(json.dumps(found))
    verification = of(run).verification
    assert verdict(verification, 1) == (
        "fail",
        "Verification failed: 1 of 1 front points re-measured on the device, 0 of 1 within 10 % of the prediction.",
    )
    assert verification is not None
    assert score_rows(verification) == [("within 10 %", "0.0 %", "100.0 %")]


def test_a_verification_of_another_front_is_named(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))])
    one = {"value": 1.0, "low": 0.9, "high": 1.1, "origin": "measured"}
    points = [{"architecture": list(a), "role": "front", "predicted_ms": one, "measured_ms": one} for a in (arch(0), arch(1))]
    violated = [{"architecture": [0, 1], "constraint": "latency_ms <= 0.9", "measured_ms": 1.0}]
    (run.path / "verify.json").write_text(json.dumps({"verdict": "pass", "points": points, "violated": violated}))
    data = of(run)
    assert data.missing["verification"].what == "The front has changed since it was verified: 1 of 2 verified points no longer on it."
    assert data.verification is not None
    assert data.verification.violated == ["latency_ms <= 0.9: 1 ms measured, architecture 0 1"]


def test_how_to_go_on_depends_on_what_was_started(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))], stopped=None, command=["/usr/bin/hwnas", "quickstart", "--out", "my run"])
    assert of(run).missing["evaluations"].command == "hwnas quickstart --out 'my run'"
    with Writer(run.database) as writer:
        writer.set_spec(command=["hwnas", "search", "--out", "run"])
    assert of(run).missing["evaluations"].command == "hwnas search --out run --resume"


def test_a_baseline_that_cannot_be_compared_is_not_drawn(full_run: Run, make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))])
    (run.path / "baseline").mkdir()
    (run.path / "baseline" / "run.sqlite").write_text("no database, but long enough to look at")
    assert "cannot be read" in of(run).missing["baseline"].what
    (run.path / "baseline" / "run.sqlite").write_bytes(full_run.database.read_bytes())
    assert "baseline" not in of(run).missing
    with Writer(run.path / "baseline" / "run.sqlite") as writer:
        writer.set_spec(hypervolume_reference={"accuracy": 0.5, "latency_ms": 0.2})
    data = of(run)
    assert "another reference" in data.missing["baseline"].what
    assert not data.baseline


def test_a_space_that_is_not_here_leaves_plain_indices(make_run: MakeRun, arch: Any) -> None:
    point = of(make_run([evaluation(1, arch(1))], space={"kind": "of another package"})).front[0]
    assert point.description.summary == f"[{', '.join(map(str, arch(1)))}]"
    assert point.description.macs is None


def test_a_space_with_odd_numbers_in_it_does_not_stop_the_report(full_run: Run) -> None:
    spec = full_run.spec["space"]
    for damaged in (
        None,
        [],
        {},
        {**spec, "stages": "x"},
        {**spec, "resolution": "wide"},
        {**spec, "stages": [{**spec["stages"][0], "widths": ["<b>"]}]},
    ):
        assert Describer(damaged).describe((0, 0, 0)).summary == "[0, 0, 0]"


def test_latency_is_the_axis_even_when_another_cost_comes_first(make_run: MakeRun, arch: Any) -> None:
    energy = Objective("energy_mj", "mJ", "min", False, nothing)
    latency, accuracy = Objective("latency_ms", "ms", "min", False, nothing), Objective("accuracy", "", "max", True, nothing)
    rows = [evaluation(1, arch(0), 0.9, 0.07), evaluation(2, arch(1), 0.91, 0.05), evaluation(3, arch(2), 0.95, 0.09)]
    rows = [replace(row, estimates=((e, e, e), row.estimates[1], row.estimates[0])) for row, e in zip(rows, (1.0, 2.0, 3.0), strict=True)]
    reference = {"accuracy": 0.0, "latency_ms": 1.0, "energy_mj": 9.0}
    run = make_run(rows, objectives=[energy, latency, accuracy], hypervolume_reference=reference)
    measured = {"value": 0.051, "low": 0.05, "high": 0.052, "origin": "measured"}
    points = [{"architecture": list(arch(1)), "role": "front", "predicted_ms": measured, "measured_ms": measured}]
    (run.path / "verify.json").write_text(json.dumps({"verdict": "pass", "points": points}))
    data = of(run)
    assert (data.cost and data.cost.name) == "latency_ms"
    assert [point.values["latency_ms"].value for point in data.front] == [0.05, 0.07, 0.09]
    assert [run.front()[point.number].architecture for point in data.front] == [point.architecture for point in data.front]
    assert data.front[data.knee].number == run.front().knee_index()
    assert [point.measured.value if point.measured else None for point in data.front] == [0.051, None, None]
    arguments = {pick.name: pick_argument(data, pick) for pick in recommend(data)}
    assert arguments == {"best": "best", "cheapest": "2", "knee": str(run.front().knee_index()), "fastest": "1"}


def test_milliseconds_are_never_shown_as_another_cost(make_run: MakeRun, arch: Any) -> None:
    objectives = [Objective("accuracy", "", "max", True, nothing), Objective("energy_mj", "mJ", "min", False, nothing)]
    run = make_run([evaluation(1, arch(0))], objectives=objectives, hypervolume_reference={"accuracy": 0.0, "energy_mj": 9.0})
    measured = {"value": 7.0, "low": 7.0, "high": 7.0, "origin": "measured"}
    points = [{"architecture": list(arch(0)), "role": "front", "predicted_ms": measured, "measured_ms": measured}]
    (run.path / "verify.json").write_text(json.dumps({"verdict": "pass", "points": points}))
    assert of(run).front[0].measured is None


def test_many_evaluations_are_thinned_out(full_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVALUATED", 50)
    assert 40 <= len(of(full_run).evaluated) <= 50


def test_a_page_elsewhere_links_back_to_the_files_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a b#.csv").write_text("x")
    found = links([tmp_path / "run" / "a b#.csv", tmp_path / "run" / "absent"], tmp_path / "pages" / "a.html")
    assert [(link.href, link.name, link.size) for link in found] == [("./../run/a%20b%23.csv", "a b#.csv", 1)]


def test_models_belong_to_the_point_that_they_name_whatever_their_files_are_called(make_run: MakeRun, arch: Any, write_model: Any) -> None:
    run = make_run([evaluation(1, arch(0), 0.9, 0.05), evaluation(2, arch(1), 0.95, 0.06)])
    models = run.path / "models"
    for name, number, more in (("knee", 1, {}), ("knee-int8", 1, {"int8": {}}), ("gone", 3, {})):
        file = models / f"{name}.onnx"
        write_model(file, arch(number))
        if more:
            facts = metadata.read(file) | more
            file.write_bytes(metadata.write(onnx.load(file), facts))
    (models / "broken.onnx").write_bytes(b"\0" * 100)
    data = of(run)
    linked = {point.architecture: point.model.name for point in data.front if point.model}
    assert linked == {arch(1): "knee.onnx"}
    assert [link.name for link in data.models] == ["broken.onnx", "gone.onnx", "knee-int8.onnx", "knee.onnx"]


def test_hand_made_networks_of_another_search_or_damaged_ones_are_named(make_run: MakeRun, arch: Any) -> None:
    run = make_run([evaluation(1, arch(0))])
    assert of(run).missing["references"].command == f"hwnas report {run.path} --references"
    (run.path / "references").mkdir()
    (run.path / "references" / "run.sqlite").write_bytes(b"no database, but long enough to be taken for one" * 20)
    assert "cannot be read" in of(run).missing["references"].what
    assert of(run).references == []
