from __future__ import annotations

import pytest

from device_profiles.errors import InputError
from device_profiles.validate import validate
from hwnas.spaces.blueprint import Blueprint, merge


def drawing(width: int, kernel: int = 3, stride: int = 1) -> Blueprint:
    draw = Blueprint((3, 9, 9))
    x = draw.activation("a/relu", draw.conv("a/conv", "input", width, kernel, stride=stride))
    draw.linear("b/out", draw.global_pool("b/pool", x), 4)
    return draw


def test_shapes_are_those_of_the_network() -> None:
    draw = drawing(6)
    y = draw.conv("c/row", "a/relu", 8, (1, 7), dilation=1, stride=2)
    z = draw.max_pool("c/pool", y, 3, 2)
    w = draw.concat("c/both", [z, draw.take("c/take", z, 2, 3)])
    draw.widen("c/wide", w, 20)
    network = draw.network("net")
    validate(network)
    tensors = {node.outputs[0]: node.operator.outputs[0].shape for node in network.nodes}
    assert [tensors[f"c/{name}.out"] for name in ("row", "pool", "both", "wide")] == [
        (1, 8, 5, 5), (1, 8, 3, 3), (1, 11, 3, 3), (1, 20, 3, 3),
    ]  # fmt: skip


def test_what_changes_nothing_is_not_drawn() -> None:
    draw = drawing(6)
    number = len(draw.layers)
    assert draw.take("c/take", "a/relu", 0, 6) == draw.widen("c/wide", "a/relu", 6) == draw.concat("c/one", ["a/relu"]) == "a/relu"
    assert len(draw.layers) == number


def test_shared_layers_are_as_large_as_any_drawing_needs() -> None:
    widest = merge([drawing(4, 5), drawing(8, 3)])
    assert (widest["a/conv"].shape[0], widest["a/conv"].kernel, widest["b/out"].c_in) == (8, (5, 5), 8)
    with pytest.raises(InputError, match="a/conv cannot share its weights"):
        merge([drawing(4), drawing(4, stride=2)])


def test_wrong_drawings_are_refused() -> None:
    draw = drawing(6)
    with pytest.raises(InputError, match="two layers are called 'a/conv'"):
        draw.conv("a/conv", "input", 6)
    with pytest.raises(InputError, match="cannot be added"):
        draw.add("c/add", "input", "a/relu")
    with pytest.raises(InputError, match="depthwise convolution of 6 channels cannot have 8"):
        draw.conv("c/depthwise", "a/relu", 8, 3, depthwise=True)
    with pytest.raises(InputError, match="use larger images"):
        draw.avg_pool("c/pool", "a/relu", 11, padded=False)
