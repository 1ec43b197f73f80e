"""Of a run for several devices the run for one of them."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity
from hwnas.devices import per_device
from hwnas.run import Run
from hwnas.search import search

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "search" / "toy_space.py")))
SPACE = toy.ToySpace()
BOUNDS = ["xeon_latency_ms <= 1.6", "pi_latency_ms <= 1.8", "worst_latency_ms <= 1.7", "accuracy >= 0.5"]


def deep_is_dear(archs):
    return 0.3 + 0.4 * archs[:, 0]


def searched(out, evaluations=40, **more):
    costs = per_device({"pi": replace(toy.cost(), bounds=(0.0, 50.0)), "xeon": toy.cost(deep_is_dear)})
    return search(SPACE, [costs[0], toy.score(), *costs[1:]], BOUNDS, "nsga2", evaluations, 0, out=out, **more)


def test_it_holds_the_same_evaluations_under_the_names_without_the_device(tmp_path):
    run = searched(tmp_path / "run")
    found = run.of_device("xeon")
    assert found.path == run.path / "devices" / "xeon"
    assert found.names() == ["accuracy", "latency_ms"]
    assert run.of_device("pi").names() == ["latency_ms", "accuracy"]
    whole, own = run.evaluations(), found.evaluations()
    for name in ("id", "architecture", "status", "accuracy", "started"):
        np.testing.assert_array_equal(own[name], whole[name])
    np.testing.assert_array_equal(own["latency_ms"], whole["xeon_latency_ms"])
    np.testing.assert_array_equal(own["latency_ms_high"], whole["xeon_latency_ms_high"])
    np.testing.assert_array_equal(np.unique(found.front().costs(), axis=0), np.unique(run.fronts()["xeon"].costs(), axis=0))
    assert found.fronts() == {}


def test_the_spec_is_what_one_device_is_about(tmp_path):
    devices = {"pi": {"name": "pi4/ort/1t", "path": "../pi.json"}, "xeon": {"name": "x", "path": "/x.json"}}
    run = searched(tmp_path / "run", extra_spec={"devices": devices})
    pi, xeon = (run.of_device(name).spec for name in ("pi", "xeon"))
    assert pi["constraints"] == ["latency_ms <= 1.8", "accuracy >= 0.5"]
    assert xeon["constraints"] == ["latency_ms <= 1.6", "accuracy >= 0.5"]
    assert pi["device"] == {"name": "pi4/ort/1t", "path": "../../../pi.json"}
    assert xeon["device"]["path"] == "/x.json"
    assert "devices" not in pi
    assert pi["hypervolume_reference"] == {"latency_ms": 50.0, "accuracy": 0.0}
    assert (pi["seed"], pi["stopped"], pi["space"]) == (run.spec["seed"], run.spec["stopped"], run.spec["space"])
    assert [record["name"] for record in pi["objectives"]] == ["latency_ms", "accuracy"]
    assert pi["objectives"][0]["bounds"] == [0.0, 50.0]
    assert "device" not in pi["objectives"][0]


def test_it_follows_the_run_and_keeps_what_was_learned_on_the_device(tmp_path):
    run = searched(tmp_path / "run", 20)
    found = run.of_device("pi")
    arch = found.front()[0].architecture
    found.add_extra(arch, "latency_ms", Quantity(1.0, 0.9, 1.1, "measured"))
    run.add_extra(arch, "test_accuracy", Quantity(0.8, 0.7, 0.9, "measured"))
    searched(tmp_path / "run", 40, resume=True)
    again = Run.open(run.path).of_device("pi")
    assert len(again.rows()) == 40
    assert again.spec["evaluations"] == 40
    assert again.spec["stopped"] == "budget: 40 evaluations"
    assert set(again.extras()[arch]) == {"latency_ms", "test_accuracy"}
    assert run.of_device("pi").rows() == again.rows()


def test_devices_that_there_are_not_are_refused(tmp_path):
    run = searched(tmp_path / "run", 20)
    with pytest.raises(InputError, match="unknown device 'xenon': did you mean 'xeon'"):
        run.of_device("xenon")
    with pytest.raises(InputError, match="unknown device 'worst'"):
        run.of_device("worst")
    one = search(SPACE, [toy.score(), toy.cost()], evaluations=20, seed=0, out=tmp_path / "one")
    with pytest.raises(InputError, match="was searched for one device: take it as it is"):
        one.of_device("pi")


def test_it_can_be_moved_with_the_run(tmp_path):
    run = searched(tmp_path / "run", 20)
    run.of_device("pi")
    (tmp_path / "run").rename(tmp_path / "moved")
    assert len(Run.open(tmp_path / "moved").of_device("pi").rows()) == 20
