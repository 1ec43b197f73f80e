"""Batch-norm of a batch in which every image has channels of its own."""

from __future__ import annotations

from typing import Any

import torch


class _MaskedNorm(torch.autograd.Function):
    """See `masked_norm`. Written out, because the derivative of the single operations reads and writes the images twice as often."""

    @staticmethod
    def forward(
        context: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor, eps: float, relu: bool
    ) -> torch.Tensor:
        x = x * mask
        pixels = mask.sum((0, 2, 3)).clamp_(min=1) * (x.shape[2] * x.shape[3])  # of the images that have the channel
        mean, square = x.sum((0, 2, 3)) / pixels, x.square().sum((0, 2, 3)) / pixels  # var_mean takes ten times as long
        inverse = torch.rsqrt((square - mean.square()).clamp_(min=0) + eps)
        scale = weight * inverse
        y = torch.addcmul((bias - mean * scale)[:, None, None] * mask, x, scale[:, None, None])
        if relu:
            y.relu_()
        context.relu = relu
        context.save_for_backward(x, y, weight, mean, inverse, pixels, mask)
        return y

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y, weight, mean, inverse, pixels, mask = context.saved_tensors
        # ReLU's derivative is 0 where there is no channel, since the result is 0 there.
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0) if context.relu else gradient * mask
        shift = gradient.sum((0, 2, 3))
        scale = ((gradient * x).sum((0, 2, 3)) - mean * shift) * inverse  # the sum of gradient times normalised x
        factor = weight * inverse
        # factor * (gradient - mean of gradient - normalised x * mean of gradient times normalised x), where there is a channel
        slope = -factor * inverse * scale / pixels
        level = -factor * shift / pixels - slope * mean
        result = torch.addcmul(level[:, None, None] * mask, gradient, factor[:, None, None]).addcmul_(x, slope[:, None, None])
        return result, scale, shift, None, None, None


def masked_norm(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor, eps: float, *, relu: bool = False
) -> torch.Tensor:
    """Batch-norm (then ReLU, where `relu`) of `x` `(n, c, h, w)` by the statistics of every channel over the images that have it.

    `mask` `(n, c, 1, 1)` is 1 where an image has a channel, else 0; there the result is 0. `weight` and `bias` are `(c,)`.
    Computed in float32 at least.
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        result: torch.Tensor = _MaskedNorm.apply(x.to(wide), weight, bias, mask.to(wide), eps, relu)  # type: ignore[no-untyped-call]
    return result.to(x.dtype)
