"""Scores without training as objectives: for every space, the same in any company."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas import data, spaces
from hwnas.accuracy.zero_cost import SCORES, ZeroCost
from hwnas.objectives import as_objective
from hwnas.run import Run
from hwnas.search import search

TINY = runpy.run_path(str(Path(__file__).parents[1] / "tiny_spaces.py"))
DIGITS = data.load("digits")
SMALL = spaces.load("mobilenet-small", classes=10, channels=1, resolution=8)


@pytest.mark.parametrize("score", sorted(SCORES))
def test_every_score_is_an_objective_and_an_architecture_gets_the_same_in_any_company(score: str) -> None:
    zero_cost = ZeroCost(SMALL, score, DIGITS, images=16)
    objective = as_objective(zero_cost, SMALL)
    assert (objective.name, objective.direction, objective.expensive, objective.origin) == (score, "max", True, "modelled")
    archs = SMALL.sample(4, np.random.default_rng(0))
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    together = objective.evaluate(archs).values
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.isfinite(together).all()
    assert len(set(together.tolist())) > 1
    torch.manual_seed(2)
    np.testing.assert_array_equal(zero_cost(archs[::-1])[::-1], together)
    np.testing.assert_array_equal(ZeroCost(SMALL, score, DIGITS, images=16)(archs), together)


@pytest.mark.parametrize("score", ["synflow", "naswot", "grad_norm"])
def test_the_seed_draws_weights_and_images(score: str) -> None:
    archs = SMALL.largest()
    assert ZeroCost(SMALL, score, DIGITS, images=16, seed=1)(archs) != ZeroCost(SMALL, score, DIGITS, images=16, seed=2)(archs)


def test_counts_are_those_of_the_network() -> None:
    network = SMALL.network(SMALL.largest()[0])
    assert ZeroCost(SMALL, "parameter_count")(SMALL.largest()).tolist() == [network.params]
    assert ZeroCost(SMALL, "mac_count")(SMALL.largest()).tolist() == [network.macs]


@pytest.mark.parametrize("name", sorted(TINY["TINY"]))
def test_every_space_has_scores(name: str) -> None:
    space = TINY["TINY"][name]()
    archs = np.concatenate([space.smallest(), space.largest()])
    channels, side, _ = space.input_shape
    images = np.random.default_rng(0).integers(0, 256, (60, channels, side, side), dtype=np.uint8)
    labels = np.arange(60) % space.classes
    split = data.Split(images, labels)
    dataset = data.Dataset("noise", split, split, split, tuple(map(str, range(space.classes))))
    for score in ("synflow", "naswot", "grad_norm"):
        assert np.isfinite(ZeroCost(space, score, dataset, images=8)(archs)).all()


def test_synflow_needs_no_images_and_the_others_say_so() -> None:
    assert ZeroCost(SMALL, "synflow")(SMALL.largest()) == ZeroCost(SMALL, "synflow", DIGITS)(SMALL.largest())
    with pytest.raises(InputError, match="naswot needs images"):
        ZeroCost(SMALL, "naswot")
    with pytest.raises(InputError, match="unknown score without training 'synflo': did you mean 'synflow'"):
        ZeroCost(SMALL, "synflo")
    with pytest.raises(InputError, match="at least 2 images"):
        ZeroCost(SMALL, "naswot", DIGITS, images=1)
    with pytest.raises(InputError, match="mobilenet is for 3 classes"):
        ZeroCost(spaces.load("mobilenet-small", classes=3, channels=1, resolution=8), "naswot", DIGITS)


def test_a_search_takes_it_and_records_it(tmp_path: Path) -> None:
    search(SMALL, [ZeroCost(SMALL, "synflow")], algorithm="random", evaluations=3, seed=0, out=tmp_path)
    assert Run.open(tmp_path).spec["accuracy"]["synflow"]["kind"] == "synflow"


def test_naming_it_loads_no_torch() -> None:
    code = (
        "import sys; from hwnas.accuracy import DegreeAccuracy, NNDegree, ZeroCost; print('torch' in sys.modules, 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False", "False"]
