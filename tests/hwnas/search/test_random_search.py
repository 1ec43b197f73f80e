"""Random search draws as the space samples."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.search import Problem
from hwnas.search.random_search import RandomSearch

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))


def test_draws_uniformly_over_choices_in_a_space_too_large_to_repeat():
    space = toy.ToySpace(20, 8)
    archs = RandomSearch(Problem(space, (toy.cost(),)), np.random.default_rng(0)).ask(4000)
    assert len(archs) == 4000
    deep = archs[archs[:, 0] >= 6]  # of the shallow ones there are too few not to repeat
    np.testing.assert_allclose(np.bincount(deep[:, 0], minlength=20)[6:] / len(deep), 1 / 14, atol=0.02)
    np.testing.assert_allclose(np.bincount(deep[:, 5], minlength=8) / len(deep), 0.125, atol=0.03)
