"""Additive objectives: read off part tables, or fitted."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.objectives import Objective
from hwnas.search.additive import Additive

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace()
ARCHS = SPACE.sample(300, np.random.default_rng(0))


def latency_by_part():
    depth, width = np.divmod(np.arange(24), 4)
    return Additive(SPACE, tuple(np.where(i <= depth, 0.1 + 0.07 * width, 0.0) for i in range(6)), 0.1)


def test_sums_parts():
    np.testing.assert_allclose(latency_by_part()(ARCHS), toy.latency(ARCHS))


def test_is_read_off_a_source_with_part_tables():
    table = replace(latency_by_part(), constant=0.0)
    objective = Objective("latency_ms", "ms", "min", False, toy.latency, source=table)
    found = Additive.of(objective, SPACE)
    np.testing.assert_allclose(found(ARCHS), toy.latency(ARCHS))
    turned = Additive.of(replace(objective, name="speed", unit="", direction="max"), SPACE)
    np.testing.assert_allclose(turned(ARCHS), -toy.latency(ARCHS))


def test_a_sum_that_is_not_the_objective_is_refused():
    rounded = Objective("latency_ms", "ms", "min", False, lambda a: np.round(toy.latency(a), 1), source=latency_by_part())
    assert Additive.of(rounded, SPACE) is None
    assert Additive.of(toy.cost(), SPACE) is None


def test_fitting_finds_what_is_additive_and_the_best_of_what_is_not():
    model = Additive.fit(SPACE, ARCHS, toy.latency(ARCHS), ridge=1e-9)
    new = SPACE.sample(200, np.random.default_rng(1))
    np.testing.assert_allclose(model(new), toy.latency(new), atol=1e-3)
    scores = toy.accuracy(new)
    error = Additive.fit(SPACE, ARCHS, toy.accuracy(ARCHS))(new) - scores
    assert error.std() < 0.5 * scores.std()


def test_parts_have_names():
    assert len(latency_by_part().part_prices("block2")) == 24
    with pytest.raises(InputError, match="toy has no part 'stem'"):
        latency_by_part().part_prices("stem")
