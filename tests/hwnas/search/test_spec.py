"""The spec of a run, what may differ on resume, and the fixed reference of the hypervolume."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.objectives import Objective
from hwnas.run import Run
from hwnas.search.base import Problem
from hwnas.search.spec import check_same, hypervolume_reference, make_spec

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
PROBLEM = Problem(SPACE, (toy.score(), toy.cost()))


def reference(*objectives, space=SPACE):
    return hypervolume_reference(Problem(space, objectives))


def test_the_reference_comes_from_bounds_and_from_the_costliest_architecture():
    point = reference(toy.score(), toy.cost())
    assert point["accuracy"] == 0.0
    small, large = toy.latency(SPACE.smallest())[0], toy.latency(SPACE.largest())[0]
    assert point["latency_ms"] == pytest.approx(large + 0.1 * (large - small))
    assert reference(toy.cost(bounds=(0.0, 9.0))) == {"latency_ms": 9.0}
    assert reference(toy.cost(bounds=(0.0, np.inf))) == {"latency_ms": point["latency_ms"]}


def test_the_reference_lies_beyond_what_the_largest_architecture_does_not_show():
    hill = toy.cost(lambda archs: -np.abs(archs[:, 0] - 2.5))
    assert reference(hill)["latency_ms"] > -0.5


def test_a_constant_cost_still_gives_a_reference_beyond_it():
    assert reference(toy.cost(lambda archs: np.full(len(archs), 2.0)))["latency_ms"] > 2.0
    assert reference(toy.cost(lambda archs: np.zeros(len(archs))))["latency_ms"] == 1.0


def test_an_expensive_objective_is_not_called_for_the_reference():
    def never(archs):
        raise AssertionError

    assert reference(toy.score(never, bounds=None), toy.cost())["accuracy"] == 0.0
    with pytest.raises(InputError, match="give it bounds"):
        reference(Objective("energy_mj", "mJ", "min", True, never))


def test_a_cheap_objective_that_always_fails_is_named():
    def broken(archs):
        raise ValueError("no table")

    with pytest.raises(InputError, match="latency_ms fails for every architecture tried: ValueError: no table"):
        reference(toy.cost(broken))
    with pytest.raises(InputError, match="it is nan"):
        reference(toy.cost(lambda archs: np.full(len(archs), np.nan)))


def spec_of(problem=PROBLEM, algorithm="nsga2", options=None, evaluations=10, seed=1, **extra):
    return make_spec(problem, algorithm, options or {}, (evaluations, None), seed, extra)


@pytest.fixture
def run(tmp_path):
    return Run.create(
        tmp_path, {**spec_of(device={"name": "a", "sha": "1"}, command="hwnas search"), "hypervolume_reference": {}}, PROBLEM.objectives
    )


def test_the_spec_holds_what_identifies_a_run(run):
    spec = run.spec
    assert spec["space"] == SPACE.spec()
    assert [record["name"] for record in spec["objectives"]] == ["accuracy", "latency_ms"]
    assert spec["objectives"][0]["bounds"] == [0.0, 1.0]
    assert (spec["algorithm"], spec["seed"], spec["evaluations"], spec["constraints"]) == ("nsga2", 1, 10, [])
    assert {"python", "numpy", "sqlite", "pymoo"} <= spec["versions"].keys()


def test_the_same_may_be_resumed_with_another_command_and_a_larger_budget(run):
    assert check_same(run, spec_of()) == 1
    assert check_same(run, spec_of(seed=None, evaluations=500, command="hwnas search --resume", device={"name": "a", "sha": "1"})) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"problem": Problem(toy.ToySpace(5), PROBLEM.objectives)}, "made with space.blocks 6, not 5"),
        ({"problem": Problem(SPACE, PROBLEM.objectives[::-1])}, r'made with objectives\[0\].bounds \[0.0,1.0\], not null'),
        ({"problem": Problem(SPACE, PROBLEM.objectives[:1])}, "made with objectives "),
        ({"algorithm": "random"}, 'made with algorithm "nsga2", not "random"'),
        ({"options": {"population": 9}}, "made with options.population null, not 9"),
        ({"seed": 2}, "made with seed 1, not 2"),
        ({"device": {"name": "a", "sha": "2"}}, 'made with device.sha "1", not "2"'),
        ({"evaluations": 9}, "made for 10 evaluations, not 9"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(run, asked, message):
    with pytest.raises(InputError, match=message) as caught:
        check_same(run, spec_of(**asked))
    assert "\n" not in str(caught.value)


def test_extra_keys_cannot_overwrite_and_must_be_json():
    with pytest.raises(InputError, match="cannot set 'stopped'"):
        spec_of(stopped="never")
    with pytest.raises(InputError, match="must be JSON"):
        spec_of(device=object())
    with pytest.raises(InputError, match="must be JSON"):
        spec_of(device=float("nan"))
