from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import InputError
from hwnas.finish import PICKS, accuracy_of, device_of, pick
from hwnas.run import Run


def test_picks_are_points_of_the_front(walk: Any) -> None:
    run = Run.open(walk.run)
    front = run.front()
    points = {tuple(a) for a in front.architectures.tolist()}
    assert {pick(run, name) for name in PICKS} <= points
    values = {tuple(a): v for a, v in zip(front.architectures.tolist(), front.values.tolist(), strict=True)}
    accuracy, latency = front.names.index("accuracy"), front.names.index("latency_ms")
    assert values[pick(run, "best")][accuracy] == max(v[accuracy] for v in values.values())
    assert values[pick(run, "fastest")][latency] == min(v[latency] for v in values.values())
    assert values[pick(run, "cheapest")][accuracy] >= values[pick(run, "best")][accuracy] - 0.0100001
    assert pick(run, 0) == pick(run, "fastest")


def test_a_run_finds_its_device_and_its_weights_again(walk: Any) -> None:
    run = Run.open(walk.run)
    table = device_of(run).compile(accuracy_of(run).supernet.space)
    scorer = accuracy_of(run)
    for row in run.rows()[:3]:
        numbers = dict(zip(run.names(), row.numbers()[:, 0], strict=True))
        assert table.price([row.architecture])[0] == pytest.approx(numbers["latency_ms"])
        assert scorer([row.architecture])[0][0] == numbers["accuracy"]


def test_a_device_that_is_gone(walk: Any) -> None:
    with pytest.raises(InputError, match=r"gone\.json"):
        device_of(Run.open(walk.run), "gone.json")


def test_a_walk_that_was_moved_goes_on_where_it_is_now(walk: Any, cli: Any, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(walk.folder, moved)
    run = Run.open(moved / "run")
    before = len(run.rows())
    assert device_of(run).path_ == moved / "device.json"
    assert accuracy_of(run).supernet.folder == moved / "supernet"
    arguments = ("search", "--supernet", moved / "supernet", "--device", moved / "device.json", "--out", moved / "run", "--resume")
    code, _, err = cli(*arguments, "--evaluations", before + 3, "--seed", 3)
    assert code == 0, err
    assert len(run.rows()) == before + 3


def test_other_weights_are_not_the_same_run_wherever_they_lie(walk: Any, cli: Any, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(walk.folder, moved)
    shutil.rmtree(moved / "supernet")
    code, _, err = cli("train", "--space", "mobilenet-small", "--data", walk.images, "--epochs", 1, "--out", moved / "supernet")
    assert code == 0, err
    arguments = ("search", "--supernet", moved / "supernet", "--device", moved / "device.json", "--out", moved / "run", "--resume")
    code, _, err = cli(*arguments, "--evaluations", 15, "--seed", 3)
    assert code == 2
    assert "supernet.sha256" in err
