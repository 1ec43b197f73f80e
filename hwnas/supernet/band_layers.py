"""The layers of a batch of different sub-nets on bands.

Each is written out with its derivatives: those of the single operations would fill and copy whole tensors for every band.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from hwnas.supernet.bands import Band

#: What comes back, by argument; None where there is no derivative.
_Gradients = tuple[torch.Tensor | None, ...]


class _Pick(torch.autograd.Function):
    """See `pick`."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """The images at `places`."""
        context.images = x.shape[1]
        context.save_for_backward(places)
        return x.index_select(1, places)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> _Gradients:
        """Every image gets back what its copy got; adding up by index would go image by image."""
        (places,) = context.saved_tensors
        back = places.new_full((context.images,), len(places))
        back[places] = torch.arange(len(places), device=places.device)
        if len(places) < context.images:
            gradient = F.pad(gradient, (0, 0, 0, 1))  # for the images that were not picked
        return gradient.index_select(1, back), None


def pick(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Some of the images of `x` `(channels, images, values)`, each at most once."""
    result: torch.Tensor = _Pick.apply(x, places)  # type: ignore[no-untyped-call]
    return result


class _Widen(torch.autograd.Function):
    """See `widen`."""

    @staticmethod
    def forward(
        context: Any, x: torch.Tensor, weight: torch.Tensor | None, made: Sequence[Band], kept: Sequence[Band], rows: int
    ) -> torch.Tensor:
        """One matrix product for every band."""
        values, matrix = x.shape[2], x.view(len(x), -1)
        result = x.new_empty(rows, values)
        for band in made:
            assert weight is not None
            torch.mm(weight[band.channels], matrix[:, : band.number * values], out=band.of(result))
        for band in kept:
            band.of(result).view(-1, band.number, values).copy_(x[band.channels, band.images])
        result[[*made, *kept][-1].end :] = 0
        context.made, context.kept = made, kept
        context.save_for_backward(x, weight)
        return result

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> _Gradients:
        """Bands have no channel of an image in common, so what comes back is written, not added up, but for the input of the product."""
        x, weight = context.saved_tensors
        gradient, result = gradient.contiguous(), torch.zeros_like(x)
        values, matrix, added = x.shape[2], x.view(len(x), -1), result.view(len(x), -1)
        slopes = None if weight is None else torch.zeros_like(weight)
        for band in context.made:
            columns = slice(band.number * values)
            assert slopes is not None
            added[:, columns].addmm_(weight[band.channels].T, band.of(gradient))
            slopes[band.channels] = band.of(gradient) @ matrix[:, columns].T
        for band in context.kept:
            result[band.channels, band.images] = band.of(gradient).view(-1, band.number, values)
        return result, slopes, None, None, None


def widen(x: torch.Tensor, weight: torch.Tensor | None, made: Sequence[Band], kept: Sequence[Band], rows: int) -> torch.Tensor:
    """A 1x1 convolution with `weight` `(c_out, c_in)` of the first images of `x` `(c_in, images, values)`, on the bands `made`.

    The images of the bands `kept` hand on what they have. Returns `(rows, values)`; rows behind the last band are 0.
    """
    result: torch.Tensor = _Widen.apply(x, weight, made, kept, rows)  # type: ignore[no-untyped-call]
    return result


class _Narrow(torch.autograd.Function):
    """See `narrow`."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, weight: torch.Tensor, bands: Sequence[Band], images: int) -> torch.Tensor:
        """Bands add up; those that begin with channel 0 come first and cover all images."""
        values = x.shape[1]
        result = x.new_empty(len(weight), images * values)
        for band in bands:
            columns = slice(band.first * values, (band.first + band.number) * values)
            result[:, columns].addmm_(weight[:, band.channels], band.of(x), beta=int(band.low > 0))
        context.bands = bands
        context.save_for_backward(x, weight)
        return result.view(len(weight), images, values)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> _Gradients:
        """Rows behind the last band have no derivative."""
        x, weight = context.saved_tensors
        values, gradient = x.shape[1], gradient.contiguous().view(len(weight), -1)
        result, slopes = torch.zeros_like(x), torch.zeros_like(weight)
        for band in context.bands:
            columns = gradient[:, band.first * values : (band.first + band.number) * values]
            torch.mm(weight[:, band.channels].T, columns, out=band.of(result))
            slopes[:, band.channels].addmm_(columns, band.of(x).T)
        return result, slopes, None, None


def narrow(x: torch.Tensor, weight: torch.Tensor, bands: Sequence[Band], images: int) -> torch.Tensor:
    """A 1x1 convolution with `weight` `(c_out, c_in)` of `x` `(rows, values)`, which is 0 where an image has no channel.

    Returns `(c_out, images, values)`; every image must be in a band that begins with channel 0.
    """
    result: torch.Tensor = _Narrow.apply(x, weight, bands, images)  # type: ignore[no-untyped-call]
    return result


class _PerRow(torch.autograd.Function):
    """See `per_row`."""

    @staticmethod
    def forward(context: Any, weights: torch.Tensor, chosen: torch.Tensor, which: torch.Tensor, bands: Sequence[Band]) -> torch.Tensor:
        """The weights of every row."""
        context.shape, context.bands = weights.shape, bands
        context.save_for_backward(which)
        return weights.flatten(0, 1).index_select(0, chosen)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> _Gradients:
        """Sums over the images with each kernel, as products: adding up by index would go row by row."""
        (which,) = context.saved_tensors
        gradient, result = gradient.contiguous(), gradient.new_zeros(context.shape)
        for band in context.bands:
            parts = gradient[band.row : band.end].view(-1, band.number, gradient.shape[1])
            result[band.channels].add_(which[:, band.images] @ parts)
        return result, None, None, None


def per_row(weights: torch.Tensor, chosen: torch.Tensor, which: torch.Tensor, bands: Sequence[Band]) -> torch.Tensor:
    """For every row one of the kernels of its channel, `(rows, size)`, of `weights` `(channels, kernels, size)`.

    `chosen` `(rows,)` is `channel * kernels + kernel`; `which` `(kernels, images)` is 1 for the kernel of an image, else 0.
    """
    result: torch.Tensor = _PerRow.apply(weights, chosen, which, bands)  # type: ignore[no-untyped-call]
    return result
