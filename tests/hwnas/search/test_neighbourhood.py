"""What lies next to a front."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.search.neighbourhood import margins, one_choice_away

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))


def test_one_choice_away_lists_each_once():
    space = toy.ToySpace(3, 2)
    found = one_choice_away(space, np.array([[1, 0, 1, 0]]))
    assert sorted(map(tuple, found.tolist())) == [(0, 0, 0, 0), (1, 0, 0, 0), (1, 0, 1, 0), (1, 1, 1, 0), (2, 0, 1, 0)]


def test_margins_say_how_far_behind_a_point_is():
    front = np.array([[0.0, 1.0], [1.0, 0.0]])
    values = np.array([[0.0, 1.0], [1.1, 0.2], [0.3, 1.2], [0.5, 0.1], [-0.1, -0.2]])
    np.testing.assert_allclose(margins(values, front), [0.0, 0.1, 0.2, -0.5, -1.1])
