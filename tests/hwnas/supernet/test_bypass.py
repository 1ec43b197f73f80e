"""A bypass sub-net per image: what a batch of them computes is what they compute."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwnas.spaces.bypass import BypassSpace, BypassStage
from hwnas.supernet import bypass
from hwnas.supernet.bands import Band
from hwnas.supernet.bypass import BypassSupernet
from hwnas.supernet.elastic import ElasticBatchNorm2d
from hwnas.supernet.strategies import Batch, OrderedDropout

SPACE = BypassSpace([BypassStage((4, 8), (3, 5), 3, 1), BypassStage((4, 8, 12), (3,), 3, 2)], 3, 1, 8)


@pytest.fixture
def net() -> BypassSupernet:
    net = BypassSupernet(SPACE, seed=1).train().double()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.rand(parameter.shape, generator=torch.Generator().manual_seed(2)), alpha=0.5)
    return net


def images(n: int) -> torch.Tensor:
    return torch.rand(n, *SPACE.input_shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_a_batch_of_one_sub_net_is_what_that_sub_net_computes_and_learns(net: BypassSupernet) -> None:
    batch, labels = images(12), torch.arange(12) % 3
    for arch in SPACE.sample(10, np.random.default_rng(0)):
        net.activate(arch)
        found = []
        for logits in (net(batch), net.forward_each(batch, np.repeat(arch[None], 12, axis=0))):
            net.zero_grad()
            F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
            found.append((logits, {k: torch.zeros_like(p) if p.grad is None else p.grad for k, p in net.named_parameters()}))
        assert torch.allclose(found[0][0], found[1][0], atol=1e-8)
        assert all(torch.allclose(gradient, found[1][1][key], atol=1e-8) for key, gradient in found[0][1].items())


def test_without_batch_norm_every_image_gets_the_logits_of_its_own_sub_net(net: BypassSupernet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fixed(x: torch.Tensor, _weight: object, bias: torch.Tensor, _number: object, bands: Sequence[Band], *_rest: object) -> torch.Tensor:
        return bands[0].masked((1.5 * bands[0].of(x) + bias[:, None]).relu()).view_as(x)

    monkeypatch.setattr(ElasticBatchNorm2d, "forward", lambda self, x: 1.5 * x + self.bias[: x.shape[1], None, None])
    monkeypatch.setattr(bypass, "band_norm", fixed)
    batch, archs = images(16), SPACE.sample(16, np.random.default_rng(4))
    found = net.forward_each(batch, archs)
    for i, arch in enumerate(archs):
        net.activate(arch)
        assert torch.allclose(found[i : i + 1], net(batch[i : i + 1]), atol=1e-8), arch


def test_ordered_dropout_trains_it(net: BypassSupernet) -> None:
    batch = Batch(images(10).float(), torch.arange(10) % 3, np.random.default_rng(0), 0.5, 0.1)
    (one,) = OrderedDropout().step(net.float(), batch)
    assert one.architecture == net.architecture(one.architecture)
    assert sum(float(p.grad.abs().sum()) for p in net.parameters() if p.grad is not None) > 0
