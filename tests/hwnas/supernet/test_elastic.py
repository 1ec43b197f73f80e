"""Elastic layers use the right part of their weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d, ElasticLinear
from hwnas.supernet.initialise import initialise


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def conv() -> ElasticConv2d:
    layer = ElasticConv2d(6, 8, 5, stride=2)
    initialise(layer, torch.Generator().manual_seed(0))
    return layer


def test_a_convolution_uses_first_channels_and_the_centre_of_its_kernel(conv: ElasticConv2d) -> None:
    x = random(2, 4, 9, 9)
    conv.select(4, 3, 3)
    assert torch.equal(conv(x), F.conv2d(x, conv.weight[:3, :4, 1:4, 1:4], stride=2, padding=1))
    conv.select(4, 8, 1)
    assert torch.equal(conv(x), F.conv2d(x, conv.weight[:, :4, 2:3, 2:3], stride=2))


def test_a_smaller_kernel_is_the_larger_one_without_its_border(conv: ElasticConv2d) -> None:
    x = random(2, 6, 9, 9)
    conv.select(6, 8, 3)
    small = conv(x)
    with torch.no_grad():
        conv.weight[:, :, [0, -1]] = 0
        conv.weight[:, :, :, [0, -1]] = 0
    conv.select(6, 8, 5)
    assert torch.allclose(conv(x), small, atol=1e-5)


def test_a_depthwise_convolution_keeps_channels_apart() -> None:
    layer = ElasticConv2d(6, 6, 3, depthwise=True)
    initialise(layer, torch.Generator().manual_seed(0))
    layer.select(4, 4, 3)
    x = random(2, 4, 5, 5)
    y = layer(x)
    x[:, 1] += 1
    changed = (layer(x) != y).flatten(2).any(2).any(0)
    assert changed.tolist() == [False, True, False, False]


def test_only_the_used_part_gets_a_gradient(conv: ElasticConv2d) -> None:
    conv.select(4, 3, 3)
    conv(random(2, 4, 9, 9)).sum().backward()
    assert conv.weight.grad is not None
    used = torch.zeros_like(conv.weight, dtype=torch.bool)
    used[:3, :4, 1:4, 1:4] = True
    assert (conv.weight.grad[used] != 0).all()
    assert (conv.weight.grad[~used] == 0).all()


def test_an_even_kernel_has_no_centre() -> None:
    with pytest.raises(InputError, match="odd kernel, got 4"):
        ElasticConv2d(2, 2, 4)


def test_a_linear_layer_uses_first_features() -> None:
    layer = ElasticLinear(6, 5)
    initialise(layer, torch.Generator().manual_seed(0))
    layer.select(4, 3)
    x = random(2, 4)
    assert torch.equal(layer(x), F.linear(x, layer.weight[:3, :4], layer.bias[:3]))
    assert torch.equal(layer.build()(x), layer(x))


def collected(layer: ElasticBatchNorm2d, batches: list[torch.Tensor]) -> torch.Tensor:
    layer.begin()
    outputs = [layer(batch) for batch in batches]
    layer.end()
    return torch.cat(outputs)


def test_batch_norm_collects_the_exact_statistics_of_all_images() -> None:
    layer, x = ElasticBatchNorm2d(6).eval(), 3 * random(50, 4, 3, 3) + 2
    layer.select(4)
    collected(layer, [x])
    assert torch.allclose(layer.mean[:4], x.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(layer.variance[:4], x.var((0, 2, 3), correction=0), rtol=1e-5)
    assert torch.equal(layer.mean[4:], torch.zeros(2))


@pytest.mark.parametrize("size", [1, 7, 49, 50])
def test_collected_statistics_do_not_depend_on_the_batches(size: int) -> None:
    layer, x = ElasticBatchNorm2d(4).eval(), 3 * random(50, 4, 3, 3) + 20
    collected(layer, list(torch.split(x, size)))
    assert torch.allclose(layer.mean, x.mean((0, 2, 3)), rtol=1e-5)
    assert torch.allclose(layer.variance, x.var((0, 2, 3), correction=0), rtol=1e-4)


def test_batch_norm_in_training_normalises_the_batch_and_remembers_nothing() -> None:
    layer, x = ElasticBatchNorm2d(4).train(), random(20, 4, 3, 3) + 5
    assert torch.allclose(layer(x), F.batch_norm(x, None, None, training=True), atol=1e-6)
    assert torch.equal(layer.mean, torch.zeros(4))
    assert "mean" not in layer.state_dict()


def test_initialise_depends_on_the_generator_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        layer = ElasticConv2d(6, 8, 5)
        initialise(layer, torch.Generator().manual_seed(seed))
        return layer.weight.detach()

    torch.manual_seed(1)
    first = weights(3)
    torch.manual_seed(2)
    assert torch.equal(weights(3), first)
    assert not torch.equal(weights(4), first)
    assert float(first.std()) == pytest.approx((2 / (8 * 25)) ** 0.5, rel=0.1)


def test_initialise_serves_plain_layers_too() -> None:
    conv, norm, linear = torch.nn.Conv2d(4, 64, 3), torch.nn.BatchNorm2d(64), torch.nn.Linear(64, 10)
    plain = torch.nn.Sequential(conv, norm, linear)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.fill_(7)
    initialise(plain, torch.Generator().manual_seed(0))
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.1)
    assert float(linear.weight.detach().std()) == pytest.approx((1 / 64) ** 0.5, rel=0.1)
    assert torch.equal(norm.weight, torch.ones(64))
    assert all(torch.equal(bias, torch.zeros_like(bias)) for bias in (conv.bias, norm.bias, linear.bias) if bias is not None)


@pytest.fixture
def transformed() -> ElasticConv2d:
    layer = ElasticConv2d(6, 6, 7, depthwise=True, kernels=(3, 5, 7))
    initialise(layer, torch.Generator().manual_seed(0))
    return layer


def test_transformations_begin_as_the_centre_of_the_kernel(transformed: ElasticConv2d) -> None:
    assert {name: tuple(matrix.shape) for name, matrix in transformed.transforms.items()} == {"7to5": (25, 25), "5to3": (9, 9)}
    for kernel in (7, 5, 3):
        transformed.select(4, 4, kernel)
        border = (7 - kernel) // 2
        expected = transformed.weight[:4, :, border : 7 - border, border : 7 - border]
        assert torch.allclose(transformed.selected(), expected, rtol=0, atol=1e-6)


def test_a_smaller_kernel_is_made_of_the_next_larger_one(transformed: ElasticConv2d) -> None:
    with torch.no_grad():
        for i, matrix in enumerate(transformed.transforms.values()):
            matrix.copy_(random(*matrix.shape, seed=i))
    transformed.select(6, 6, 3)
    five = torch.einsum("oi,c...i->c...o", transformed.transforms["7to5"], transformed.weight[:, :, 1:6, 1:6].reshape(6, 1, 25))
    three = torch.einsum("oi,c...i->c...o", transformed.transforms["5to3"], five.reshape(6, 1, 5, 5)[:, :, 1:4, 1:4].reshape(6, 1, 9))
    assert torch.allclose(transformed.selected(), three.reshape(6, 1, 3, 3), rtol=1e-4, atol=1e-4)
    x = random(2, 6, 9, 9)
    plain = transformed.build()
    assert [name for name, _ in plain.named_parameters()] == ["weight"]
    assert torch.allclose(plain(x), transformed(x), rtol=0, atol=1e-5)


def test_only_the_transformations_on_the_way_learn(transformed: ElasticConv2d) -> None:
    for kernel, learn in ((7, set()), (5, {"7to5"}), (3, {"7to5", "5to3"})):
        transformed.zero_grad()
        transformed.select(6, 6, kernel)
        transformed(random(2, 6, 9, 9)).square().sum().backward()
        assert {name for name, matrix in transformed.transforms.items() if matrix.grad is not None} == learn


def test_kernels_that_cannot_be_made_of_the_weights() -> None:
    with pytest.raises(InputError, match="largest of the kernels must be that of the weights, 5, got 3, 7"):
        ElasticConv2d(2, 2, 5, kernels=(3, 7))
    with pytest.raises(InputError, match="needs an odd kernel, got 5"):
        ElasticConv2d(2, 2, 5, kernels=(4, 5))
    with pytest.raises(InputError, match="kernel 1 is none of those"):
        ElasticConv2d(2, 2, 5, kernels=(3, 5)).select(2, 2, 1)
