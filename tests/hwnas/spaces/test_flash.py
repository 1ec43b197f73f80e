from __future__ import annotations

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.spaces.flash import Cell, FlashDenseSpace, FlashResidualSpace


@pytest.mark.parametrize(("name", "size"), [("flash-dense", 520**4), ("flash-residual", 540**4)])
def test_there_are_more_than_63_billion(name: str, size: int) -> None:
    assert spaces.load(name).size == size > 63e9


def test_dense_layers_read_what_the_links_say() -> None:
    space = FlashDenseSpace([Cell((32,), (13,), (0.0, 1.25))], 10, 3, 32)
    assert space.links([0, 0, 0]).tolist() == [0]
    assert space.links([0, 0, 1]).tolist() == [32 + 10 * 40]  # layer 2 has 32 candidates, layers 3 to 12 take 40 of theirs
    convs = [node.operator for node in space.network([0, 0, 1]).nodes if node.operator.kind == "Conv"]
    extra = [op.inputs[1].shape[1] - 32 for op in convs[1:] if op.inputs[1] is not None]
    assert sum(extra) == 432
    assert max(extra) == 40


def test_residual_blocks_add_the_channels_that_skip() -> None:
    space = FlashResidualSpace([Cell((8,), (2,), (0.0, 0.25, 1.0))], 10, 3, 16)
    kinds = [
        [node.operator.kind for node in space.network([0, 0, skip]).nodes if node.operator.kind in ("Slice", "Pad", "Add")]
        for skip in range(3)
    ]
    assert kinds == [[], ["Slice", "Pad", "Add"] * 2, ["Add", "Add"]]


def test_cells_are_decoded() -> None:
    space = spaces.load("flash-dense")
    assert isinstance(space, FlashDenseSpace)
    shape = space.shapes(space.largest()[0])[3]
    assert (shape.width, shape.depth, shape.skip) == (320, 18, 480)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(InputError, match=r"0\.3 times a width of 8"):
        FlashDenseSpace([Cell((8,), (5,), (0.3,))], 10, 3, 32)
    with pytest.raises(InputError, match="depth 4 has no use for 3 times"):
        FlashDenseSpace([Cell((8,), (4,), (3.0,))], 10, 3, 32)
    with pytest.raises(InputError, match="need at least 8"):
        spaces.load("flash-residual", resolution=4)


def test_more_skip_channels_are_always_another_network() -> None:
    space = spaces.load("flash-dense")
    archs = np.repeat(space.smallest(), 13, axis=0)
    archs[:, 2] = np.arange(13)
    assert len({space.network(arch).macs for arch in archs}) == 13
