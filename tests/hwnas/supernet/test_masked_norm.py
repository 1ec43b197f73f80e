"""Batch-norm with masks is batch-norm of what the masks leave."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from hwnas.supernet.masked_norm import masked_norm


def inputs(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    """Images of 1, 3 and 4 of 4 channels, weights, shifts, and their mask; the last channel belongs to one image."""
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((3, 4, 2, 3), (4,), (4,)))
    mask = (torch.arange(4) < torch.tensor([1, 3, 4])[:, None]).to(dtype)[:, :, None, None]
    return x.contiguous(memory_format=torch.channels_last), weight, bias, mask


@pytest.mark.parametrize("relu", [False, True])
def test_every_channel_is_normalised_over_the_images_that_have_it(relu: bool) -> None:
    x, weight, bias, mask = inputs()
    found = masked_norm(x, weight, bias, mask, 1e-5, relu=relu)
    for channel, images in enumerate((slice(0, 3), slice(1, 3), slice(1, 3), slice(2, 3))):
        one = slice(channel, channel + 1)
        expected = F.batch_norm(x[images, one], None, None, weight[one], bias[one], True, 0.0, 1e-5)
        assert torch.allclose(found[images, one], expected.relu() if relu else expected)
    assert bool((found[mask.expand_as(found) == 0] == 0).all())


@pytest.mark.parametrize("relu", [False, True])
def test_gradients(relu: bool) -> None:
    x, weight, bias, mask = inputs()
    checked = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    assert torch.autograd.gradcheck(lambda a, b, c: masked_norm(a, b, c, mask, 1e-5, relu=relu), checked)


def test_a_full_mask_is_batch_norm_and_memory_order_stays() -> None:
    x, weight, bias, _ = inputs(torch.float32)
    x.requires_grad_()
    found = masked_norm(x, weight, bias, torch.ones(3, 4, 1, 1), 1e-5)
    expected = F.batch_norm(x, None, None, weight, bias, True, 0.0, 1e-5)
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)
    gradients = [torch.autograd.grad((y * x.detach().square()).sum(), x)[0] for y in (found, expected)]
    assert torch.allclose(*gradients, atol=1e-5)


def test_a_channel_that_no_image_has_is_zero_and_learns_nothing() -> None:
    x, weight, bias, mask = inputs(torch.float32)
    weight.requires_grad_()
    found = masked_norm(x, weight, bias, mask * (torch.arange(4) < 3)[:, None, None], 1e-5)
    found.square().sum().backward()
    assert bool((found[:, 3] == 0).all())
    assert weight.grad is not None
    assert weight.grad.isfinite().all()
    assert float(weight.grad[3]) == 0


def test_images_of_half_precision_are_normalised_in_single_precision() -> None:
    x, weight, bias, mask = inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = masked_norm((x + 100).bfloat16(), weight, bias, mask, 1e-5)
    exact = masked_norm((x + 100).bfloat16().float(), weight, bias, mask, 1e-5)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), exact, rtol=1e-2, atol=1e-2)
