"""Sorting channels moves the important ones to the front and leaves what the network computes as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.supernet import calibrate, checkpoint, sort_channels, train
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.supernet.recipe import Recipe
from hwnas.supernet.sorting import DIMENSIONS
from hwnas.supernet.strategies import Progressive
from hwnas.supernet.trainer import Trainer

STAGES = {
    "expanding": (Stage((8, 12), (1, 2), (3, 5), (2, 3), 1), Stage((8, 16), (1, 2), (3, 5), (2, 3), 2)),
    "some not expanding": (Stage((8, 12), (1, 2), (3, 5), (1, 3), 1), Stage((8, 16), (1, 3), (3,), (1, 2), 2, squeeze=True)),
    "none expanding": (Stage((8, 12), (1, 2), (3, 5), (1,), 1), Stage((8, 16), (1, 2), (3,), (1,), 2, squeeze=True)),
}


@pytest.fixture(params=STAGES)
def net(request: pytest.FixtureRequest) -> MobileNetSupernet:
    """With every scale, shift and bias moved, so that none of them is neutral."""
    found = MobileNetSupernet(MobileNetSpace(STAGES[request.param], 10, 1, 8, stem=8, head=16, kernel_transforms=True), seed=3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator), alpha=0.1)
    return found


def outputs(net: MobileNetSupernet, archs: np.ndarray) -> list[torch.Tensor]:
    """Logits in training mode, and with calibrated statistics."""
    images, found = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(1)), []
    for arch in archs:
        net.activate(arch)
        calibrate(net, images)
        found += [net.train()(images), net.eval()(images)]
    return found


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_what_is_not_shrunk_computes_the_same(net: MobileNetSupernet, dimension: str) -> None:
    """The largest network, and whatever is cut in another dimension only."""
    space = net.space
    archs = np.concatenate([space.largest(), space.sample(8, np.random.default_rng(0))])
    for column, choice in enumerate(space.choices):
        if choice.name.endswith(dimension) or (dimension == "expansion" and choice.name.endswith("width")):
            archs[:, column] = len(choice.values) - 1
    archs = space.canonical(archs)
    before, weights = outputs(net, archs), {name: w.clone() for name, w in net.state_dict().items()}
    sort_channels(net, dimension)
    for old, new in zip(before, outputs(net, archs), strict=True):
        assert torch.allclose(old, new, rtol=0, atol=1e-5)
    moved = any(not torch.equal(weight, weights[name]) for name, weight in net.state_dict().items())
    assert moved == (dimension == "width" or any(net._block(name).expand is not None for name in net.blocks))


def columns(weight: torch.Tensor) -> torch.Tensor:
    return weight.abs().sum((0, 2, 3))


def test_importance_falls(net: MobileNetSupernet) -> None:
    sort_channels(net, "width")
    sort_channels(net, "expansion")
    for name in net.blocks:
        block = net._block(name)
        if block.expand is not None:
            assert (columns(block.project.conv.weight).diff() <= 1e-6).all()
    sort_channels(net, "width")
    last = columns(net.head.conv.weight)
    for block in (net._block(f"stage2_block{b}") for b in range(2, net.space.stages[1].max_depth + 1)):
        last = last + (block.depthwise.conv.weight.abs().sum((1, 2, 3)) if block.expand is None else columns(block.expand.conv.weight))
    assert (last.diff() <= 1e-5).all()


def test_a_narrow_sub_net_begins_nearer_to_the_largest_one(digits: Dataset) -> None:
    """With channels of very different use, those that are cut after sorting are the ones that do nothing."""
    space = MobileNetSpace((Stage((8,), (2,), (3,), (2, 4), 1),), 10, 1, 8, stem=8, head=16)
    net = MobileNetSupernet(space).train()
    with torch.no_grad():
        for name in net.blocks:
            net._block(name).project.conv.weight[:, :16] = 0  # of 32, the first half does nothing
    images = torch.from_numpy(digits.train.images[:64]) / 255
    whole = net(images)
    sort_channels(net, "expansion")
    net.activate(space.smallest())
    assert torch.allclose(net(images), whole, rtol=0, atol=1e-5)


def test_the_optimiser_and_the_average_move_with_the_weights(space: MobileNetSpace, digits: Dataset) -> None:
    trainer = Trainer(space, digits, Progressive(), Recipe(epochs=1, batch_size=256, average=0.9, optimiser="adamw"), torch.device("cpu"))
    trainer.epoch(None)
    name = "blocks.stage1_block1.project.conv.weight"
    weight = dict(trainer.supernet.named_parameters())[name]
    before = weight.detach().clone(), trainer.average[name].clone(), trainer.optimiser.state[weight]["exp_avg"].clone()
    places = trainer.supernet.channel_order("expansion").columns[name]
    trainer._sort("expansion")
    after = weight.detach(), trainer.average[name], trainer.optimiser.state[weight]["exp_avg"]
    assert places.tolist() != sorted(places.tolist())
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[:, places], new)


class Interrupted(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("step", [9, 15])
def test_progressive_shrinking_sorts_each_dimension_once_and_resumes(
    space: MobileNetSpace, digits: Dataset, tmp_path: Path, step: int
) -> None:
    def stop(now: int, _total: int, _numbers: dict[str, float]) -> None:
        if now == step:
            raise Interrupted

    options = {"epochs": 4, "batch_size": 256, "learning_rate": 0.1, "average": 0.9}
    train(space, digits, strategy=Progressive(sort=True), out=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        train(space, digits, strategy=Progressive(sort=True), out=tmp_path / "broken", progress=stop, **options)
    train(space, digits, strategy=Progressive(sort=True), out=tmp_path / "broken", resume=True, **options)
    files = [(tmp_path / name / checkpoint.FILE).read_bytes() for name in ("whole", "broken")]
    assert files[0] == files[1]
    strategy, seen = Progressive(sort=True), []
    for progress in np.linspace(0, 0.999, 50):
        seen += [(dimension, progress) for dimension in strategy.sorts(space, progress)]
    assert [dimension for dimension, _ in seen] == ["expansion", "width"]
    assert [progress for _, progress in seen] == pytest.approx([0.25 + 0.75 * 2 / 4, 0.25 + 0.75 * 3 / 4], abs=0.03)
    assert list(Progressive().sorts(space, 0.9)) == []


def test_what_cannot_be_sorted_says_so(space: MobileNetSpace) -> None:
    with pytest.raises(InputError, match="unknown dimension 'widths': did you mean 'width'"):
        sort_channels(MobileNetSupernet(space), "widths")
    with pytest.raises(InputError, match="the channels of the super-network of sharing64 cannot be sorted"):
        sort_channels(spaces.load("sharing64", resolution=8).supernet(), "width")
