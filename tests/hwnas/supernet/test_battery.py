"""The contract of a super-network, held by every space there is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hwnas import spaces
from hwnas.spaces import DrawnSpace, SearchSpace
from hwnas.supernet import Supernet, calibrate
from hwnas.supernet.elastic import ElasticConv2d
from hwnas.supernet.fold import fold_batch_norm


@pytest.fixture(params=list(spaces.SPACES))
def space(request: pytest.FixtureRequest, tiny_space: Callable[[str], SearchSpace]) -> SearchSpace:
    return tiny_space(request.param)


@pytest.fixture
def supernet(space: SearchSpace) -> Supernet:
    """With every scale, shift and bias moved, so that none of them is neutral."""
    net: Supernet = space.supernet()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.rand(parameter.shape, generator=generator), alpha=0.3)
    return net


def archs(space: SearchSpace, n: int = 8) -> list[np.ndarray]:
    return [space.smallest()[0], space.largest()[0], *space.sample(n, np.random.default_rng(0))]


def images(space: SearchSpace, n: int = 6) -> torch.Tensor:
    return torch.rand(n, *space.input_shape, generator=torch.Generator().manual_seed(1))


def test_an_extracted_sub_net_computes_what_the_active_one_does(space: SearchSpace, supernet: Supernet) -> None:
    batch = images(space)
    for arch in archs(space):
        supernet.activate(arch)
        calibrate(supernet, batch)
        for mode in (True, False):
            supernet.train(mode)
            assert torch.allclose(supernet.extract()(batch), supernet(batch), rtol=0, atol=1e-5)


def test_a_sub_net_has_the_parameters_and_macs_of_the_space(space: SearchSpace, supernet: Supernet) -> None:
    for arch in archs(space, 5):
        supernet.activate(arch)
        subnet = supernet.extract().eval()
        fold_batch_norm(subnet)
        counter = FlopCounterMode(display=False)
        with counter, torch.inference_mode():
            assert subnet(torch.zeros(1, *space.image_shape(arch))).shape == (1, space.classes)
        network = space.network(arch)
        left = [m for m in subnet.modules() if isinstance(m, torch.nn.BatchNorm2d)]  # these also hold a mean and a variance each
        assert sum(p.numel() for p in subnet.parameters()) + sum(2 * m.num_features for m in left) == network.params
        assert counter.get_total_flops() == 2 * network.macs


def test_folding_batch_norm_changes_rounding_alone(space: SearchSpace, supernet: Supernet) -> None:
    batch = images(space)
    for arch in archs(space, 3):
        supernet.activate(arch)
        calibrate(supernet, batch)
        subnet = supernet.eval().extract()
        expected = subnet(batch)
        fold_batch_norm(subnet)
        assert torch.allclose(subnet(batch), expected, rtol=1e-3, atol=1e-4)


def test_every_weight_is_used_in_its_full_size(space: SearchSpace, supernet: Supernet) -> None:
    from predictors.covering import covering

    batch, supernet = images(space, 3), supernet.train()
    used: dict[str, torch.Tensor] = {}

    def note(module: torch.nn.Module, _inputs: object, _output: object) -> None:
        assert isinstance(module, ElasticConv2d)
        columns = max([module.c_in, *(first + number for first, number in module.columns)])
        size = torch.tensor([module.c_out, 1 if module.depthwise else columns, *module.selected().shape[2:]])
        used[names[module]] = torch.maximum(used.get(names[module], size), size)

    names = {module: name for name, module in supernet.named_modules() if isinstance(module, ElasticConv2d)}
    for module in names:
        module.register_forward_hook(note)
    for arch in space.widest() if isinstance(space, DrawnSpace) else covering(space, np.random.default_rng(0)):
        supernet.activate(arch)
        supernet(batch)
    assert {name: tuple(size.tolist()) for name, size in used.items()} == {name: tuple(m.weight.shape) for m, name in names.items()}


def test_weights_are_shared_and_the_seed_of_the_space_decides_them(space: SearchSpace) -> None:
    first, again = space.supernet().state_dict(), space.supernet().state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_images_may_be_larger_than_the_network_wants(space: SearchSpace, supernet: Supernet) -> None:
    smallest = space.smallest()[0]
    supernet.activate(smallest)
    assert supernet.train()(images(space)).shape == (6, space.classes)
    assert supernet.extract().side == space.image_shape(smallest)[1]
