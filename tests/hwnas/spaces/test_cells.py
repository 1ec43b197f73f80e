"""PNAS cells, their growth, and the 64 children of the weight-sharing study."""

from __future__ import annotations

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.spaces import PNASSpace
from hwnas.spaces.sharing import SharingSpace


def test_there_are_136_cells_of_one_block() -> None:
    assert PNASSpace(10, 3, 32, blocks=1).size == 136
    assert PNASSpace(10, 3, 32, blocks=5).size == 136 * 300 * 528 * 820 * 1176
    assert PNASSpace(10, 3, 32, blocks=1, reduction=True).size == 136**2


def test_cells_grow_by_every_block() -> None:
    space = PNASSpace(10, 3, 8, blocks=1, width=4)
    every = np.unique(space.canonical(np.stack(np.unravel_index(np.arange(256), space.cardinalities), axis=1)), axis=0)
    grown, larger = space.expansions(every), space.grown()
    assert len(np.unique(grown, axis=0)) == len(grown) == larger.size == 136 * 300
    np.testing.assert_array_equal(larger.canonical(grown), grown)
    np.testing.assert_array_equal(grown[::300, :4], every)
    with pytest.raises(InputError, match="does not grow"):
        PNASSpace(10, 3, 8, blocks=1, reduction=True).grown()


def test_exchanging_left_and_right_changes_nothing() -> None:
    space = PNASSpace(10, 3, 8, blocks=2, width=4)
    arch = space.encode({"block1.left.input": "previous", "block1.right.input": "current", "block2.right.input": "block1"})
    np.testing.assert_array_equal(space.canonical(arch.reshape(2, 2, 2)[:, ::-1].reshape(1, 8)), arch)


def test_cells_of_stride_2_can_have_their_own_blocks() -> None:
    space = PNASSpace(10, 3, 8, blocks=1, repeats=1, width=4, reduction=True)
    both = {f"{kind}.block1.{side}.operator": "max_pool_3x3" for kind in ("normal", "reduction") for side in ("left", "right")}
    kinds = {node.name.split("/")[0]: node.operator.kind for node in space.network(space.encode(both)).nodes if "pool" in node.name}
    assert set(kinds) >= {"cell1.block1", "cell2.block1"}
    mixed = both | {"normal.block1.left.operator": "identity", "normal.block1.right.operator": "identity"}
    pools = {node.name.split("/")[0] for node in space.network(space.encode(mixed)).nodes if node.operator.kind == "MaxPool"}
    assert pools == {"cell2.block1", "cell4.block1"}


def test_children_are_named_by_their_digits() -> None:
    space = SharingSpace(10, 3, 32)
    assert space.size == 64
    assert space.child(space.from_child("434")) == "434"
    assert space.decode(space.from_child("124")) == {"edge0-1": "max_pool_3x3", "edge0-2": "sep_conv_3x3", "edge1-2": "dil_conv_5x5"}
    assert space.network(space.from_child("111")[0]).macs == space.network(space.smallest()[0]).macs
    for wrong in ("", "44", "445", "4444", "abc"):
        with pytest.raises(InputError, match="three digits from 1 to 4"):
            space.from_child(wrong)


def test_unknown_operators_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'sep_conv_3x3'"):
        PNASSpace(10, 3, 32, operators=("sep_conv_3",))
