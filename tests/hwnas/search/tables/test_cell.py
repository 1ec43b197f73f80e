"""What a cell's operations do together."""

from __future__ import annotations

import numpy as np

from hwnas.search.tables import Cell

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CELL = Cell(EDGES, ("avg_pool_3x3", "none", "nor_conv_1x1", "nor_conv_3x3", "skip_connect"))
POOL, NONE, SMALL, LARGE, SKIP = range(5)


def features(*operations):
    return CELL.features(np.array([operations]))[0].tolist()


def test_paths_lead_from_input_to_output():
    assert CELL.paths == ((0, 2, 5), (0, 4), (1, 5), (3,))


def test_edges_that_lead_nowhere_do_not_count():
    only = features(NONE, NONE, NONE, LARGE, NONE, NONE)
    assert only == features(LARGE, NONE, NONE, LARGE, NONE, NONE) == features(NONE, NONE, LARGE, LARGE, SMALL, SMALL)
    assert only != features(LARGE, NONE, NONE, LARGE, SKIP, NONE)


def test_one_path_counted_by_hand():
    # pools, 1x1, 3x3, copies; connected; paths; most convolutions on one; most and sum of 1x1, of 3x3; pools; without any; copies
    assert features(LARGE, NONE, SMALL, SKIP, NONE, POOL) == [1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1]


def test_a_cell_without_any_path_is_all_zero():
    assert not any(features(LARGE, NONE, NONE, NONE, NONE, LARGE))
