"""Layers on bands: what they compute, and their derivatives, against plain operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwnas.supernet import bands
from hwnas.supernet.band_layers import narrow, per_row, pick, widen
from hwnas.supernet.band_norm import band_norm
from hwnas.supernet.bands import Band, counts, lay_out, places, whole

#: Channels of five images: the first three expand, the last two hand on what they have.
MADE, KEPT = np.array([6, 4, 2]), np.array([3, 1])
ALL = np.r_[MADE, KEPT]


@pytest.fixture(params=[0, 10**9], ids=["exact", "padded"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Band], list[Band]]:
    monkeypatch.setattr(bands, "PADDING", request.param)
    like = torch.zeros(1, dtype=torch.float64)
    made = lay_out(MADE, 2, like)
    return made, lay_out(KEPT, 2, like, 3, made[-1].end)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def dense(rows: torch.Tensor, found: list[Band], channels: int = 6, images: int = 5) -> torch.Tensor:
    """Rows as `(channels, images, values)`, zeros where there is no row."""
    channel, image = (torch.from_numpy(place) for place in places(found))
    start = found[0].row
    return rows.new_zeros(channels, images, rows.shape[1]).index_put((channel, image), rows[start : start + len(channel)])


def inputs(numbers: Any, channels: int) -> torch.Tensor:
    """`(channels, images, 2)`, zeros where an image has no channel."""
    return random(channels, len(numbers), 2) * (torch.arange(channels)[:, None] < torch.from_numpy(np.asarray(numbers)))[:, :, None]


def check(function: Any, *tensors: torch.Tensor) -> None:
    assert torch.autograd.gradcheck(function, [tensor.requires_grad_() for tensor in tensors])


def test_widening_is_a_product_for_some_images_and_nothing_for_the_others(two: tuple[list[Band], list[Band]]) -> None:
    made, kept = two
    x, weight = inputs([3, 2, 1, 3, 1], 3), random(6, 3)
    rows = kept[-1].end + 5
    found = widen(x, weight, made, kept, rows)
    inside = torch.arange(6)[:, None, None] < torch.from_numpy(MADE)[:, None]
    expected = torch.einsum("oc,cnp->onp", weight, x[:, :3])
    assert torch.allclose(dense(found, made)[:, :3] * inside, expected * inside)
    assert torch.equal(dense(found, kept)[:3, 3:], x[:, 3:])
    assert bool((found[kept[-1].end :] == 0).all())
    # Rows that no image has are computed in padded bands; what comes after ignores them, and so does this check.
    keep = torch.ones(rows, 1, dtype=torch.float64)
    for band in made:
        band.clear(band.of(keep))
    check(lambda a, b: widen(a, b, made, kept, rows) * keep, x, weight)


def test_widening_without_a_product(two: tuple[list[Band], list[Band]]) -> None:
    like = torch.zeros(1, dtype=torch.float64)
    kept = lay_out(KEPT, 2, like)
    x = inputs(KEPT, 3)
    assert torch.equal(dense(widen(x, None, [], kept, kept[-1].end + 1), kept, 3, 2), x)
    check(lambda a: widen(a, None, [], kept, kept[-1].end + 1), x)


def test_narrowing_is_a_product(two: tuple[list[Band], list[Band]]) -> None:
    found = [*two[0], *two[1]]
    values, weight = random(found[-1].end + 3, 2), random(4, 6)
    for band in found:
        band.clear(band.of(values))
    expected = torch.einsum("oc,cnp->onp", weight, dense(values, found))
    assert torch.allclose(narrow(values, weight, found, 5), expected)
    check(lambda a, b: narrow(a, b, found, 5), values, weight)


def test_rows_get_the_kernels_of_their_images(two: tuple[list[Band], list[Band]]) -> None:
    found = [*two[0], *two[1]]
    weights, kinds = random(6, 2, 3), np.array([0, 1, 1, 0, 1])
    channel, image = places(found)
    chosen = torch.from_numpy(channel * 2 + kinds[image])
    which = torch.from_numpy((np.arange(2)[:, None] == kinds).astype(float))
    rows = per_row(weights, chosen, which, found)
    assert torch.equal(rows, weights[torch.from_numpy(channel), torch.from_numpy(kinds[image])])
    check(lambda a: per_row(a, chosen, which, found), weights)


@pytest.mark.parametrize("order", [[3, 0, 1, 2], [2, 0]])
def test_picking_images(order: list[int]) -> None:
    x, places_ = random(2, 4, 3), torch.tensor(order)
    assert torch.equal(pick(x, places_), x[:, order])
    check(lambda a: pick(a, places_), x)


def normalised(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, numbers: Any) -> torch.Tensor:
    """Batch-norm of `(channels, images, values)`, channel by channel."""
    result = torch.zeros_like(x)
    for channel in range(len(x)):
        having = np.flatnonzero(np.asarray(numbers) > channel)
        if len(having):
            own = slice(channel, channel + 1)
            y = F.batch_norm(x[own, having].flatten()[:, None], None, None, weight[own], bias[own], True, 0.0, 1e-5)
            result[channel, having] = y.view(len(having), -1)
    return result


@pytest.mark.parametrize("activation", ["", "Relu", "HardSwish"])
def test_batch_norm_is_over_the_images_that_have_a_channel(two: tuple[list[Band], list[Band]], activation: str) -> None:
    found, x, weight, bias = [*two[0], *two[1]], random(30, 2), random(6), random(6)
    number = counts(ALL, 6, x) * 2
    rows = found[-1].end + 3
    x = x[:rows] if len(x) >= rows else torch.cat([x, random(rows - len(x), 2)])
    y = band_norm(x, weight, bias, number, found, 1e-5, activation)
    act = {"": lambda t: t, "Relu": torch.relu, "HardSwish": F.hardswish}[activation]
    assert torch.allclose(dense(y, found), act(normalised(dense(x, found), weight, bias, ALL)), atol=1e-9)
    assert torch.equal(y[found[-1].end :], x[found[-1].end :])
    check(lambda a, b, c: band_norm(a, b, c, number, found, 1e-5, activation), x, weight, bias)


def test_images_in_any_order_have_one_band() -> None:
    numbers, x, weight, bias = np.array([1, 4, 2]), random(12, 2), random(4), random(4)
    band = whole(numbers, 4, x)
    y = band_norm(x, weight, bias, counts(numbers, 4, x) * 2, [band], 1e-5, "")
    assert torch.allclose(y.view(4, 3, 2), normalised(x.view(4, 3, 2), weight, bias, numbers))


def test_a_channel_that_no_image_has_is_zero_and_learns_nothing() -> None:
    numbers, x, weight, bias = np.array([1, 2]), random(6, 2), random(3).requires_grad_(), random(3)
    y = band_norm(x, weight, bias, counts(numbers, 3, x) * 2, [whole(numbers, 3, x)], 1e-5, "Relu")
    y.square().sum().backward()  # type: ignore[no-untyped-call]
    assert bool((y.view(3, 2, 2)[2] == 0).all())
    assert weight.grad is not None
    assert weight.grad.isfinite().all()
    assert float(weight.grad[2]) == 0
