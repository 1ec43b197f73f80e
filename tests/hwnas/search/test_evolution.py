"""Regularised evolution beyond what the battery asks of every algorithm."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.search import Problem
from hwnas.search.algorithms import make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
PROBLEM = Problem(toy.ToySpace(), (toy.score(), toy.cost()))


def test_children_are_one_choice_from_the_young():
    optimiser = make("evolution", PROBLEM, 0, {"population": 12, "sample": 4})
    told = np.empty((0, 7), dtype=np.int64)
    for _ in range(8):
        archs = optimiser.ask(optimiser.batch)
        if len(told) >= 12:
            distance = (archs[:, None] != told[-12:][None]).sum(axis=2).min(axis=1)
            # A changed depth also changes what lies beyond it.
            assert all(d == 1 or a[0] not in told[-12:, 0] or d <= 6 for a, d in zip(archs, distance, strict=True))
            assert (distance == 1).mean() >= 0.5
        optimiser.tell(archs, np.column_stack([-toy.accuracy(archs), toy.latency(archs)]), np.zeros(len(archs)))
        told = np.concatenate([told, archs])


def test_a_sample_larger_than_the_population_is_refused():
    with pytest.raises(InputError, match="9 of 8 is too many"):
        make("evolution", PROBLEM, 0, {"population": 8, "sample": 9})
