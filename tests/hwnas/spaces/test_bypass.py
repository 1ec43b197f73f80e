from __future__ import annotations

import pytest
import torch

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.spaces.bypass import BypassSpace, BypassStage
from hwnas.supernet.drawn import run


@pytest.fixture
def space() -> BypassSpace:
    return BypassSpace([BypassStage((4, 8), (3, 5), 3, 1)], 10, 3, 8)


def channels(space: BypassSpace, values: dict[str, int]) -> list[int]:
    return [layer.shape[0] for layer in space.blueprint(space.encode(values)).layers if layer.name.endswith(("relu", "concat"))]


def test_channels_are_the_larger_of_filters_and_inputs(space: BypassSpace) -> None:
    assert channels(space, {"stage1.layer1.filters": 8, "stage1.layer2.filters": 4}) == [8, 4, 8]
    assert channels(space, {"stage1.layer1.filters": 4, "stage1.layer2.filters": 8}) == [4, 8]
    assert channels(space, {"stage1.layer1.filters": 8, "stage1.layer2.filters": 8, "stage1.layer3.filters": 4}) == [8, 8, 4, 8]


def test_no_filters_are_no_layer(space: BypassSpace) -> None:
    shallow = space.network(space.encode({"stage1.layer1.filters": 8}))
    assert [node.operator.kind for node in shallow.nodes] == ["Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"]
    assert "stage1.layer2.kernel" not in space.decode(space.smallest())


def test_bypassed_channels_are_those_of_the_input(space: BypassSpace) -> None:
    net = space.supernet()
    net.activate(space.encode({"stage1.layer1.filters": 8, "stage1.layer2.filters": 4}))
    steps = net.program
    first = next(i for i, step in enumerate(steps) if step.layer.name == "stage1.layer1/relu")
    last = next(i for i, step in enumerate(steps) if step.layer.name == "stage1.layer2/concat")
    images = torch.rand(3, 3, 8, 8)
    before, after = (run(steps[: i + 1], net.layers, images) for i in (first, last))
    assert torch.equal(after[:, 4:], before[:, 4:])
    assert not torch.equal(after[:, :4], before[:, :4])


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(InputError, match="need at least 4"):
        spaces.load("bypass", resolution=2)
    with pytest.raises(InputError, match="stages with filters and layers"):
        BypassSpace([BypassStage((0, 4), (3,), 2, 1)], 10, 3, 8)
