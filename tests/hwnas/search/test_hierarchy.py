"""Coarse, then fine."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas import spaces
from hwnas.search.hierarchy import COARSE, hierarchical, kinds

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
FLASH = spaces.load("flash-dense")


def test_choices_of_a_kind_move_together():
    assert [group.tolist() for group in kinds(FLASH)] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    assert [group.tolist() for group in kinds(toy.ToySpace())] == [[0], [1, 2, 3, 4, 5, 6]]
    assert kinds(toy.ToySpace(1, 1)) == []
    elastic = spaces.load("mobilenetv2-elastic")
    groups = kinds(elastic)
    assert len(groups) == COARSE
    assert sorted(column for group in groups for column in group.tolist()) == list(range(len(elastic.choices)))


def test_finds_an_architecture_near_a_shared_place_within_few_looks():
    """The sought one has middling widths, deep cells and few skips; no two cells alike."""
    sought = np.array([1, 7, 3, 2, 9, 4, 1, 8, 2, 2, 7, 4])
    looked = set()

    def look(archs):
        looked.update(map(tuple, archs.tolist()))
        return (((archs - sought) / FLASH.cardinalities) ** 2).sum(axis=1)

    for seed in range(3):
        looked.clear()
        found = hierarchical(FLASH, look, 16, np.random.default_rng(seed))
        assert look(found[None])[0] < 0.03
        assert len(looked) < 1500


def test_every_look_is_a_legal_architecture():
    for space in (FLASH, toy.ToySpace(), toy.ToySpace(1, 3), toy.ToySpace(1, 1), spaces.load("nasbench201")):

        def look(archs, space=space):
            space.validate(archs)
            return archs.sum(axis=1).astype(float)

        assert hierarchical(space, look, 16, np.random.default_rng(0)).sum() == 0
