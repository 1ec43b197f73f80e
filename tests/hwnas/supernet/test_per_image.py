"""A sub-net per image: what masks compute is what sub-nets compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.supernet import per_image
from hwnas.supernet.elastic import ElasticBatchNorm2d
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.torch_tools import to_input

#: Also with blocks that do not expand.
STAGES = (Stage((8, 12), (1, 2), (3, 5), (1, 3), 1), Stage((8, 16), (1, 2, 3), (3, 5, 7), (1, 2), 2))


@pytest.fixture
def wide() -> MobileNetSupernet:
    return MobileNetSupernet(MobileNetSpace(STAGES, 10, 1, 8, stem=8, head=16), seed=2).train()


def rectified(x: torch.Tensor, relu: bool) -> torch.Tensor:
    return x.relu() if relu else x


def test_a_batch_of_one_sub_net_is_what_that_sub_net_computes(wide: MobileNetSupernet, digits: Dataset) -> None:
    images = to_input(digits.train.images[:40])
    for arch in wide.space.sample(12, np.random.default_rng(0)):
        wide.activate(arch)
        expected = wide(images)
        assert torch.allclose(wide.forward_each(images, np.repeat(arch[None], 40, axis=0)), expected, rtol=1e-3, atol=1e-4)


def test_without_batch_norm_every_image_gets_the_logits_of_its_own_sub_net(
    wide: MobileNetSupernet, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch-norm is what images share; with a fixed scale in its place, sub-nets do not see each other at all."""
    monkeypatch.setattr(ElasticBatchNorm2d, "forward", lambda self, x: 1.5 * x + self.bias[: x.shape[1], None, None])
    monkeypatch.setattr(
        per_image, "_normalised", lambda x, norm, mask, relu=False: rectified((1.5 * x + norm.bias[: x.shape[1], None, None]) * mask, relu)
    )
    with torch.no_grad():
        for module in wide.modules():
            if isinstance(module, ElasticBatchNorm2d):
                module.bias.normal_(generator=torch.Generator().manual_seed(1))
    images, archs = to_input(digits.train.images[:24]), wide.space.sample(24, np.random.default_rng(5))
    found = wide.forward_each(images, archs)
    for i, arch in enumerate(archs):
        wide.activate(arch)
        assert torch.allclose(found[i : i + 1], wide(images[i : i + 1]), rtol=1e-3, atol=1e-4), arch


def test_channels_that_no_image_has_get_no_gradient(wide: MobileNetSupernet, digits: Dataset) -> None:
    space = wide.space
    archs = np.repeat(space.smallest(), 16, axis=0)
    archs[:8] = space.encode({"stage1.width": 12})
    wide.forward_each(to_input(digits.train.images[:16]), archs).square().sum().backward()
    project = wide._block("stage2_block1").project.conv.weight.grad
    assert project is not None
    assert float(project[:8].abs().sum()) > 0
    assert float(project[8:].abs().sum()) == 0


@pytest.mark.parametrize(
    "space",
    [
        MobileNetSpace(STAGES, 10, 1, 16, stem=8, head=16, resolutions=(8, 16)),
        MobileNetSpace(STAGES, 10, 1, 8, stem=8, head=16, mix=8),
        MobileNetSpace(STAGES, 10, 1, 8, stem=8, head=16, activation="HardSwish"),
        MobileNetSpace((Stage((8, 12), (1, 2), (3,), (1, 3), 1, squeeze=True),), 10, 1, 8, stem=8, head=16),
    ],
    ids=["resolutions", "mix", "activation", "squeeze"],
)
def test_a_space_whose_layers_cannot_be_masked_is_refused(space: MobileNetSpace) -> None:
    net = MobileNetSupernet(space).train()
    with pytest.raises(InputError, match="cannot run a sub-net per image"):
        net.forward_each(torch.zeros(2, 1, *space.input_shape[1:]), space.sample(2, np.random.default_rng(0)))


def test_choices_with_one_value_only(digits: Dataset) -> None:
    net = MobileNetSupernet(MobileNetSpace((Stage((8,), (1, 2), (3,), (1,), 1),), 10, 1, 8, stem=8, head=16)).train()
    arch = net.space.largest()
    net.activate(arch)
    images = to_input(digits.train.images[:8])
    assert torch.allclose(net.forward_each(images, np.repeat(arch, 8, axis=0)), net(images), rtol=1e-3, atol=1e-4)
