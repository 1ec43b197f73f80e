"""A super-network whose choices are mixtures: at the corners it is its sub-nets, between them it has the right derivative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace, SearchSpace, Stage
from hwnas.supernet.mixed import MixedLoss, forward_mixed
from hwnas.supernet.mobilenet import MobileNetSupernet
from hwnas.torch_tools import to_input

PLAIN = (Stage((8, 12), (1, 2), (3, 5), (1, 3), 1), Stage((8, 16), (1, 2, 3), (3, 5, 7), (1, 2), 2))
#: Squeeze-excite, another activation, no expansion of 1, widths that repeat those of the stage before, and one without a choice.
RICH = (
    Stage((8, 12), (1, 2), (3, 5), (2, 3), 1, activation="HardSwish"),
    Stage((8, 12, 16), (2, 3), (3, 7), (2, 4), 1, squeeze=True, activation="HardSwish"),
    Stage((16,), (1,), (3,), (1,), 2),
)
SPACES = {
    "plain": lambda: MobileNetSpace(PLAIN, 10, 1, 8, stem=8, head=16),
    "rich": lambda: MobileNetSpace(RICH, 10, 1, 8, stem=8, head=16, mix=12, activation="HardSwish"),
    "sides": lambda: MobileNetSpace(PLAIN, 10, 1, 12, stem=8, head=16, resolutions=(8, 12)),
    "transforms": lambda: MobileNetSpace(PLAIN, 10, 1, 8, stem=8, head=16, kernel_transforms=True),
}


@pytest.fixture(params=list(SPACES))
def net(request: pytest.FixtureRequest) -> MobileNetSupernet:
    """With every scale, shift and bias moved, so that none of them is neutral."""
    found = MobileNetSupernet(SPACES[request.param](), seed=3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.rand(parameter.shape, generator=generator), alpha=0.5)
    return found


def one_hot(space: SearchSpace, arch: np.ndarray) -> dict[str, torch.Tensor]:
    return {c.name: torch.eye(len(c.values), dtype=torch.float64)[int(i)] for c, i in zip(space.choices, arch, strict=True)}


def test_all_on_one_value_of_every_choice_is_that_sub_net(net: MobileNetSupernet, digits: Dataset) -> None:
    images = to_input(digits.validation.images[:24])
    space = net.space
    for arch in [space.smallest()[0], space.largest()[0], *space.sample(12, np.random.default_rng(0))]:
        net.activate(arch)
        expected = net.train()(images)
        assert torch.allclose(forward_mixed(net, images, one_hot(space, arch)), expected, rtol=1e-3, atol=1e-4), arch


def test_the_derivative_in_the_shares_is_what_differences_say(net: MobileNetSupernet, digits: Dataset) -> None:
    """Within the simplex and at a corner, where some channels are left out."""
    net = net.double()
    images = to_input(digits.validation.images[:6]).double()
    names = [choice.name for choice in net.space.choices]
    rng = np.random.default_rng(1)
    inside = [torch.from_numpy(rng.dirichlet(np.ones(len(choice.values)))) for choice in net.space.choices]
    corner = list(one_hot(net.space, net.space.sample(1, rng)[0]).values())
    direction = torch.randn(6, net.space.classes, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def score(*shares: torch.Tensor) -> torch.Tensor:
        return (forward_mixed(net, images, dict(zip(names, shares, strict=True))) * direction).sum()

    for point in (inside, corner):
        shares = [share.clone().requires_grad_() for share in point]
        gradients = torch.autograd.grad(score(*shares), shares)
        step = 1e-6
        for i, gradient in enumerate(gradients):
            assert point is corner or gradient.abs().max() > 0, names[i]  # a block beyond the depth does nothing
            for j in range(len(gradient)):
                ends = []
                for sign in (1, -1):
                    moved = [share.detach().clone() for share in shares]
                    moved[i][j] += sign * step
                    with torch.no_grad():
                        ends.append(score(*moved).item())
                assert gradient[j].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-3, abs=1e-4), (names[i], j)


def test_the_super_network_is_left_as_it_was_found(net: MobileNetSupernet, digits: Dataset) -> None:
    from hwnas.supernet import calibrate

    images = to_input(digits.validation.images[:16])
    net.activate(net.space.sample(1, np.random.default_rng(5)))
    calibrate(net.eval(), images)
    before, weights = net(images), {name: value.clone() for name, value in net.state_dict().items()}
    loss = MixedLoss(net, digits.validation, 16)
    shares = [torch.full((len(c.values),), 1 / len(c.values), requires_grad=True) for c in net.space.choices]
    torch.autograd.grad(loss(shares, np.random.default_rng(0)), shares)
    assert not net.training
    assert net.calibrated
    assert torch.equal(net(images), before)
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


def test_the_loss_is_on_other_images_every_time_and_the_same_with_the_same_seed(net: MobileNetSupernet, digits: Dataset) -> None:
    loss = MixedLoss(net, digits.validation, 16)
    shares = list(one_hot(net.space, net.space.smallest()[0]).values())
    one, two = np.random.default_rng(0), np.random.default_rng(0)
    first, second = (loss(shares, one).item() for _ in range(2))
    assert first != second
    assert [loss(shares, two).item() for _ in range(2)] == [first, second]


def test_what_is_kept_for_the_derivative_does_not_grow_with_the_values_of_a_choice(digits: Dataset) -> None:
    """Between the corners all values count; still what is kept is hardly more than for the largest sub-net."""
    kept: dict[str, int] = {}
    images = to_input(digits.validation.images[:8])
    for name, kernels, widths in (("one", (7,), (16,)), ("many", (1, 3, 5, 7), (2, 4, 6, 8, 10, 12, 14, 16))):
        net = MobileNetSupernet(MobileNetSpace((Stage(widths, (2,), kernels, (3,), 1),), 10, 1, 8, stem=16, head=16))
        shares = {c.name: torch.full((len(c.values),), 1 / len(c.values), requires_grad=True) for c in net.space.choices}
        sizes = []

        def note(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            forward_mixed(net, images, shares)
        kept[name] = sum(sizes)
    assert kept["many"] < 1.5 * kept["one"]


def test_other_super_networks_are_refused(tiny_space: Callable[[str], SearchSpace], digits: Dataset) -> None:
    with pytest.raises(InputError, match="nasbench201 cannot be mixed: that takes a MobileNet-like space"):
        MixedLoss(tiny_space("nasbench201").supernet(), digits.validation)
