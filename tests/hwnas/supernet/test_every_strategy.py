"""Every strategy on every named space: it trains, and what it trained is a super-network like any other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.spaces import SearchSpace
from hwnas.supernet import STRATEGIES, calibrate
from hwnas.supernet.strategies import Batch, make

#: The spaces whose super-networks have no pass with a sub-net per image.
ONE_BY_ONE = {"nasbench201", "pnas-cell", "flash-dense", "flash-residual", "sharing64"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", spaces.SPACES)
def test_it_trains_and_its_sub_nets_can_be_used(name: str, strategy: str, tiny_space: Callable[[str], SearchSpace]) -> None:
    space = tiny_space(name)
    chosen = make(strategy, {"groups": 2} if strategy == "grouped" else {})
    net = chosen.supernet(space).train()
    images = torch.rand(8, *space.input_shape, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % space.classes
    batch = Batch(images, labels, np.random.default_rng(0), 0.5, 0.1, (images, labels))
    if strategy == "ordered_dropout" and name in ONE_BY_ONE:
        with pytest.raises(InputError, match="cannot run a sub-net per image; choose another strategy"):
            chosen.step(net, batch)
        return
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05)
    before = {key: weight.clone() for key, weight in net.state_dict().items()}
    for _ in range(2):
        optimiser.zero_grad()
        passes = chosen.step(net, batch)
        optimiser.step()
    assert all(np.isfinite(one.loss) for one in passes)
    assert any(not torch.equal(weight, before[key]) for key, weight in net.state_dict().items())
    net.activate(passes[-1].architecture)
    calibrate(net, images)
    net.eval()
    assert torch.allclose(net.extract()(images), net(images), rtol=0, atol=1e-5)
