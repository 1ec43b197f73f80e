"""Algorithms by name, and their options."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from device_profiles.errors import InputError
from hwnas.search import ALGORITHMS, Optimiser, Problem
from hwnas.search.algorithms import make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
PROBLEM = Problem(toy.ToySpace(), (toy.score(), toy.cost()))


def test_names_lead_to_optimisers():
    assert {"random", "nsga2"} <= ALGORITHMS.keys()
    for name in (name for name, kind in ALGORITHMS.items() if kind.general):
        assert isinstance(make(name, PROBLEM, 0, {}), Optimiser)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match=r"unknown algorithm 'nsga': did you mean 'nsga[23]'"):
        make("nsga", PROBLEM, 0, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"popsize": 10}, "unknown option of nsga2 'popsize'"),
        ({"population": "10"}, "population cannot be '10'"),
        ({"population": True}, "population cannot be True"),
        ({"population": 0}, "population cannot be 0"),
        ({"population": 3}, "at least 4"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        make("nsga2", PROBLEM, 0, options)


def test_options_arrive():
    assert make("nsga2", PROBLEM, 0, {"population": 12}).batch == 12
    assert make("random", PROBLEM, 0, {"batch": 7}).batch == 7
