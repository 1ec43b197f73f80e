from __future__ import annotations

from typing import Any

import pytest

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.spaces import MobileNetSpace, Stage


def test_blocks_follow_the_choices() -> None:
    space = spaces.load("mobilenet-small", resolution=32, channels=3)
    assert isinstance(space, MobileNetSpace)
    values = space.decode(space.largest())
    blocks = space.blocks(space.largest()[0])
    assert len(blocks) == sum(stage.max_depth for stage in space.stages)
    assert [b.stride for b in blocks if b.name.endswith("block1")] == [stage.stride for stage in space.stages]
    assert all(b.hidden == b.c_in * values[f"{b.name}.expansion"] for b in blocks)
    assert all(b.residual == (b.stride == 1 and b.c_in == b.c_out) for b in blocks)


def test_macs_of_a_hand_computed_network() -> None:
    stage = Stage(widths=(8,), depths=(1,), kernels=(3,), expansions=(2,), stride=2)
    space = MobileNetSpace([stage], classes=3, channels=1, resolution=8, stem=4, head=16)
    stem = 4 * 16 * 9  # 4 x 4 x 4 outputs of a 3x3 kernel on one channel
    block = 8 * 16 * 4 + 8 * 4 * 9 + 8 * 4 * 8  # expand at 4x4, depthwise to 2x2, project at 2x2
    head = 16 * 4 * 8 + 16 * 3
    network = space.network(space.smallest()[0])
    assert network.macs == stem + block + head
    assert network.params == (4 * 9 + 4) + (4 * 8 + 8) + (8 * 9 + 8) + (8 * 8 + 8) + (8 * 16 + 16) + (16 * 3 + 3)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(InputError, match="at least 8"):
        spaces.load("mobilenet-small", resolution=4)
    with pytest.raises(InputError, match="classes >= 2"):
        spaces.load("mobilenet-small", classes=1)
    with pytest.raises(InputError, match="did you mean 'mobilenet-small'"):
        spaces.load("mobilnet-smal")
    with pytest.raises(InputError, match="not here"):
        spaces.from_spec({"kind": "from another place"})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": ()}, r"the widths of a stage must be numbers from 1 on that rise, got \(\)"),
        ({"widths": (16, 8)}, r"that rise, got \(16, 8\)"),
        ({"depths": (0, 1)}, r"the depths of a stage .* got \(0, 1\)"),
        ({"expansions": (2, 2)}, "the expansions of a stage"),
        ({"kernels": (3, 4)}, r"kernels of a stage must be odd, got \(3, 4\)"),
        ({"stride": 0}, "stride of a stage must be at least 1, got 0"),
        ({"activation": "Rleu"}, "unknown activation 'Rleu': did you mean 'Relu'"),
    ],
)
def test_stages_that_cannot_be_built_are_refused_at_once(wrong: dict[str, Any], message: str) -> None:
    legal: dict[str, Any] = {"widths": (8,), "depths": (1,), "kernels": (3,), "expansions": (2,), "stride": 1}
    with pytest.raises(InputError, match=message):
        Stage(**(legal | wrong))
