"""The MobileNet super-network is the network that the space describes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hwnas import spaces
from hwnas.spaces import MobileNetSpace
from hwnas.supernet.calibration import calibrate
from hwnas.supernet.fold import fold_batch_norm
from hwnas.supernet.initialise import initialise
from hwnas.supernet.mobilenet import MobileNetSupernet


def architectures(space: spaces.SearchSpace, n: int = 12) -> list[np.ndarray]:
    return [space.smallest()[0], space.largest()[0], *space.sample(n, np.random.default_rng(0))]


@pytest.mark.parametrize(("resolution", "channels"), [(16, 1), (20, 3)])
def test_sub_nets_have_the_parameters_and_macs_of_the_space(resolution: int, channels: int) -> None:
    space = spaces.load("mobilenet-small", classes=7, resolution=resolution, channels=channels)
    supernet = space.supernet()
    for arch in architectures(space):
        supernet.activate(arch)
        subnet = supernet.extract().eval()
        fold_batch_norm(subnet)
        counter = FlopCounterMode(display=False)
        with counter, torch.inference_mode():
            assert subnet(torch.zeros(1, *space.input_shape)).shape == (1, 7)
        network = space.network(arch)
        assert sum(p.numel() for p in subnet.parameters()) == network.params
        assert counter.get_total_flops() == 2 * network.macs


def test_the_layers_are_those_of_the_space_in_order(space: MobileNetSpace) -> None:
    supernet = MobileNetSupernet(space)
    kinds = {torch.nn.Conv2d: "Conv", torch.nn.ReLU: "Relu", torch.nn.AdaptiveAvgPool2d: "GlobalAveragePool", torch.nn.Flatten: "Flatten"}
    for arch in architectures(space):
        supernet.activate(arch)
        subnet = supernet.extract().eval()
        fold_batch_norm(subnet)
        layers = [m for m in subnet.modules() if not list(m.children())]
        described = [n.operator for n in space.network(arch).nodes if n.operator.kind != "Add"]
        assert [kinds.get(type(m), "Gemm") for m in layers] == [op.kind for op in described]
        for layer, op in zip(layers, described, strict=True):
            if isinstance(layer, torch.nn.Conv2d):
                assert op.inputs[1] is not None
                assert tuple(layer.weight.shape) == op.inputs[1].shape
                assert layer.stride == op.attribute("strides", (1, 1))
                assert layer.groups == op.attribute("group", 1)


def test_the_input_is_added_exactly_where_the_space_says_so(space: MobileNetSpace) -> None:
    supernet = MobileNetSupernet(space)
    for arch in architectures(space):
        supernet.activate(arch)
        added = [supernet._block(name).residual for name in supernet.path]
        assert added == [block.residual for block in space.blocks(arch)]


def test_folding_batch_norm_changes_rounding_alone(space: MobileNetSpace) -> None:
    network = MobileNetSupernet(space).extract().eval()
    generator = torch.Generator().manual_seed(0)
    initialise(network, generator)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                for tensor, low in ((norm.weight, 0.5), (norm.bias, -0.5), (norm.running_mean, -0.5), (norm.running_var, 0.5)):
                    assert tensor is not None
                    tensor.copy_(low + torch.rand(tensor.shape, generator=generator))
    images = torch.rand(10, 1, 8, 8, generator=generator)
    expected = network(images)
    fold_batch_norm(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    assert torch.allclose(network(images), expected, rtol=1e-4, atol=1e-5)
    assert float(expected.detach().std()) > 0


def test_weights_are_shared_between_sub_nets(space: MobileNetSpace) -> None:
    supernet = MobileNetSupernet(space)
    small = supernet.extract(space.smallest()).state_dict()
    with torch.no_grad():
        for parameter in supernet.parameters():
            parameter.add_(1)
    moved = supernet.extract(space.smallest()).state_dict()
    for name, tensor in small.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert torch.allclose(moved[name], tensor + 1)


def test_the_seed_decides_the_weights(space: MobileNetSpace) -> None:
    first, again, other = (MobileNetSupernet(space, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.conv.weight"], other["stem.conv.weight"])
    assert len({id(p) for p in MobileNetSupernet(space).parameters()}) == len(first)


def test_everything_runs_with_channels_last(space: MobileNetSpace) -> None:
    seen: list[bool] = []
    supernet = MobileNetSupernet(space)
    for module in supernet.modules():
        if type(module).__name__ == "ElasticConv2d":
            module.register_forward_hook(lambda _m, _i, out: seen.append(out.is_contiguous(memory_format=torch.channels_last)))
    supernet(torch.rand(2, 1, 8, 8))
    assert seen
    assert all(seen)


def test_transformed_kernels_are_in_the_extracted_sub_net(space: MobileNetSpace) -> None:
    transforming = spaces.from_spec(MobileNetSpace(space.stages, 10, 1, 8, stem=8, head=16, kernel_transforms=True).spec())
    supernet, plain = transforming.supernet(), MobileNetSupernet(space)
    assert isinstance(supernet, MobileNetSupernet)
    images, arch = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1)), space.smallest()
    for net in (supernet, plain):
        net.train().activate(arch)
    assert torch.allclose(supernet(images), plain(images), rtol=0, atol=1e-5)  # the matrices begin as the identity
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if "transforms" in name:
                parameter.add_(torch.rand(parameter.shape, generator=torch.Generator().manual_seed(2)))
    assert not torch.allclose(supernet(images), plain(images), rtol=0, atol=1e-3)
    for arch in architectures(space, 5):
        supernet.activate(arch)
        calibrate(supernet, images)
        for mode in (True, False):
            supernet.train(mode)
            subnet = supernet.extract()
            assert torch.allclose(subnet(images), supernet(images), rtol=0, atol=1e-5)
        assert sum(p.numel() for p in subnet.parameters()) == sum(p.numel() for p in plain.extract(arch).parameters())
    assert "kernel_transforms" not in space.spec()
