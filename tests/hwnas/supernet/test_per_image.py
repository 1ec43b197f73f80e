"""A sub-net per image: what a batch of them computes is what they compute, and costs little more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.supernet import bands, per_image
from hwnas.supernet.bands import Band, places
from hwnas.supernet.elastic import ElasticBatchNorm2d
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.torch_tools import to_input

#: Also with blocks that do not expand.
STAGES = (Stage((8, 12), (1, 2), (3, 5), (1, 3), 1), Stage((8, 16), (1, 2, 3), (3, 5, 7), (1, 2), 2))
RICH = (
    Stage((8, 12), (1, 2), (3, 5), (1, 3), 1, squeeze=True, activation="HardSwish"),
    Stage((40, 64), (2, 3), (3, 7), (4, 6), 2, squeeze=True),
)
SPACES = {
    "plain": MobileNetSpace(STAGES, 10, 1, 8, stem=8, head=16),
    "rich": MobileNetSpace(RICH, 10, 1, 8, stem=8, head=16, mix=12, activation="HardSwish", kernel_transforms=True),
    "never expanding": MobileNetSpace((Stage((8, 12), (1, 2), (3,), (1,), 1),), 10, 1, 8, stem=8, head=16),
    "one value each": MobileNetSpace((Stage((8,), (1, 2), (3,), (1,), 1),), 10, 1, 8, stem=8, head=16),
}


@pytest.fixture(params=list(SPACES))
def net(request: pytest.FixtureRequest) -> MobileNetSupernet:
    net = MobileNetSupernet(SPACES[request.param], seed=2).train()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 1:  # so that no scale, shift or bias is neutral
                parameter.add_(torch.rand(parameter.shape, generator=generator), alpha=0.5)
            elif parameter.dim() == 2:  # so that kernels are truly transformed
                parameter.add_(torch.rand(parameter.shape, generator=generator), alpha=0.1)
    return net


@pytest.fixture(params=[0, 10**9], ids=["exact", "padded"])
def padding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "PADDING", request.param)


def gradients(net: MobileNetSupernet, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    net.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}


@pytest.mark.usefixtures("padding")
def test_a_batch_of_one_sub_net_is_what_that_sub_net_computes_and_learns(net: MobileNetSupernet, digits: Dataset) -> None:
    images, labels = to_input(digits.train.images[:40]), torch.from_numpy(digits.train.labels[:40])
    net.double()
    images = images.double()
    for arch in net.space.sample(6, np.random.default_rng(0)):
        net.activate(arch)
        expected, found = net(images), net.forward_each(images, np.repeat(arch[None], 40, axis=0))
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
        one, each = (gradients(net, F.cross_entropy(logits, labels)) for logits in (expected, found))
        for name, gradient in one.items():
            assert torch.allclose(each[name], gradient, rtol=1e-2, atol=1e-5), name


def fixed_norm(x: torch.Tensor, norm: ElasticBatchNorm2d, found: Sequence[Band], numbers: np.ndarray, activation: str) -> torch.Tensor:
    """Stands for batch-norm: a fixed scale, and the shift of the channel, where an image has it."""
    channel, image = places(found)
    start, end = found[0].row, found[-1].end
    has = torch.from_numpy(channel < np.asarray(numbers)[image]).to(x)[:, None]
    y = (1.5 * x[start:end] + norm.bias[torch.from_numpy(channel)][:, None]) * has
    act = {"": lambda t: t, "Relu": torch.relu, "HardSwish": F.hardswish}[activation]
    return torch.cat([x[:start], act(y), x[end:]])


@pytest.mark.usefixtures("padding")
def test_without_batch_norm_every_image_gets_the_logits_of_its_own_sub_net(
    net: MobileNetSupernet, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch-norm is what images share; with a fixed scale in its place, sub-nets do not see each other at all."""
    monkeypatch.setattr(ElasticBatchNorm2d, "forward", lambda self, x: 1.5 * x + self.bias[: x.shape[1], None, None])
    monkeypatch.setattr(per_image, "_normal", fixed_norm)
    images, archs = to_input(digits.train.images[:24]), net.space.sample(24, np.random.default_rng(5))
    found = net.forward_each(images, archs)
    for i, arch in enumerate(archs):
        net.activate(arch)
        assert torch.allclose(found[i : i + 1], net(images[i : i + 1]), rtol=1e-3, atol=1e-3), arch


def test_channels_that_no_image_has_get_no_gradient(digits: Dataset) -> None:
    net = MobileNetSupernet(SPACES["plain"], seed=2).train()
    archs = np.repeat(net.space.smallest(), 16, axis=0)
    archs[:8] = net.space.encode({"stage1.width": 12})
    net.forward_each(to_input(digits.train.images[:16]), archs).square().sum().backward()
    project = net._block("stage2_block1").project.conv.weight.grad
    assert project is not None
    assert float(project[:8].abs().sum()) > 0
    assert float(project[8:].abs().sum()) == 0


def test_the_active_sub_net_stays_what_it_is(net: MobileNetSupernet, digits: Dataset) -> None:
    images, (arch, *others) = to_input(digits.train.images[:8]), net.space.sample(9, np.random.default_rng(1))
    net.activate(arch)
    before = net(images)
    net.forward_each(images, np.array(others))
    assert torch.equal(net(images), before)


def test_images_of_one_batch_have_one_resolution(digits: Dataset) -> None:
    space = MobileNetSpace(STAGES, 10, 1, 8, stem=8, head=16, resolutions=(4, 8))
    net, images = MobileNetSupernet(space).train(), to_input(digits.train.images[:6])
    archs = space.sample(6, np.random.default_rng(0))
    archs[:, 0] = [0, 1] * 3
    with pytest.raises(InputError, match="need one resolution, these sub-nets have 4, 8"):
        net.forward_each(images, archs)
    arch = space.encode({"resolution": 4, "stage2.depth": 3})
    net.activate(arch)
    assert torch.allclose(net.forward_each(images, np.repeat(arch, 6, axis=0)), net(images), rtol=1e-3, atol=1e-4)


def multiplications(function: Callable[..., object], *arguments: object) -> int:
    with (
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
    ):  # it counts the derivatives of grouped convolutions as those of full ones
        function(*arguments)
    return int(counter.get_total_flops())


def test_different_sub_nets_cost_little_more_than_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """In multiplications; the largest sub-net for every image would take six times as many."""
    monkeypatch.setattr(bands, "PADDING", 0)
    from hwnas import spaces

    net = spaces.load("mobilenet-small", resolution=16, channels=1).supernet().train()
    images, archs = torch.rand(32, 1, 16, 16), net.space.sample(32, np.random.default_rng(0))
    together, apart = multiplications(net.forward_each, images, archs), 0
    for i, arch in enumerate(archs):
        net.activate(arch)
        apart += multiplications(net, images[i : i + 1])
    net.activate(net.space.largest())
    largest = multiplications(net, images)
    assert together < 1.6 * apart
    assert largest > 4 * together
