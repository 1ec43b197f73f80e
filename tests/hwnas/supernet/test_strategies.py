"""Strategies: which sub-nets they train, and with which gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.supernet.strategies import STRATEGIES, Batch, OnePath, Sandwich, Strategy, make
from hwnas.torch_tools import to_input


@pytest.fixture
def batch(digits: Dataset) -> Batch:
    images, labels = to_input(digits.train.images[:32]), torch.from_numpy(digits.train.labels[:32])
    return Batch(images, labels, np.random.default_rng(3), 0.5, 0.1)


def gradients(supernet: MobileNetSupernet) -> dict[str, torch.Tensor]:
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in supernet.named_parameters()}
    supernet.zero_grad()
    return found


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_the_contract(name: str, supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch) -> None:
    strategy = make(name)
    assert isinstance(strategy, Strategy)
    assert strategy.name == name
    assert (type(strategy).__doc__ or "").count("20") >= 1  # the paper and its year
    before = {key: value.clone() for key, value in supernet.state_dict().items()}
    passes = strategy.step(supernet.train(), batch)
    assert passes
    for one in passes:
        assert one.architecture == supernet.architecture(one.architecture)
        assert np.isfinite(one.loss)
        assert 0 <= one.correct <= 32
    assert all(torch.equal(value, before[key]) for key, value in supernet.state_dict().items())  # the optimiser's work is left alone
    assert sum(float(g.abs().sum()) for g in gradients(supernet).values()) > 0
    again = make(name)
    again.load_state(strategy.state())
    assert again.options() == strategy.options()


def test_sandwich_trains_the_largest_the_smallest_and_random_ones(supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch) -> None:
    passes = Sandwich(random=3).step(supernet.train(), batch)
    expected = [space.largest()[0], space.smallest()[0], *space.sample(3, np.random.default_rng(3))]
    assert [p.architecture for p in passes] == [tuple(a.tolist()) for a in expected]


@pytest.mark.parametrize("distill", [True, False])
def test_sandwich_adds_up_the_gradients_of_its_losses(
    supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch, distill: bool
) -> None:
    supernet.train()
    Sandwich(random=1, distill=distill).step(supernet, batch)
    found = gradients(supernet)
    supernet.activate(space.largest())
    logits = supernet(batch.images)
    total = F.cross_entropy(logits, batch.labels, label_smoothing=0.1)
    teacher = logits.detach().softmax(1)
    for arch in (space.smallest()[0], space.sample(1, np.random.default_rng(3))[0]):
        supernet.activate(arch)
        student = supernet(batch.images)
        soft = -(teacher * student.log_softmax(1)).sum(1).mean()
        total = total + (soft if distill else F.cross_entropy(student, batch.labels, label_smoothing=0.1))
    total.backward()  # type: ignore[no-untyped-call]
    for name, gradient in gradients(supernet).items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-6), name


def test_one_path_trains_one_uniform_sub_net(supernet: MobileNetSupernet, space: MobileNetSpace, batch: Batch) -> None:
    supernet.train()
    strategy = OnePath()
    passes = [strategy.step(supernet, batch) for _ in range(3)]
    assert [len(p) for p in passes] == [1, 1, 1]
    rng = np.random.default_rng(3)
    assert [p[0].architecture for p in passes] == [tuple(space.sample(1, rng)[0].tolist()) for _ in range(3)]


def test_names_and_options_are_checked() -> None:
    with pytest.raises(InputError, match="unknown strategy 'onepath': did you mean 'one_path'"):
        make("onepath")
    with pytest.raises(InputError, match="must not be negative"):
        Sandwich(random=-1)
    own = Sandwich(random=5, distill=False)
    assert make(own) is own
    assert own.options() == {"random": 5, "distill": False}
