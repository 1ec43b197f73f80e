"""Batch-norm and activation of a batch of different sub-nets, on bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from hwnas.supernet.bands import Band


def _relu_back(gradient: torch.Tensor, x: torch.Tensor, out: torch.Tensor) -> None:
    torch.ops.aten.threshold_backward.grad_input(gradient, x, 0, grad_input=out)


def _hard_swish_back(gradient: torch.Tensor, x: torch.Tensor, out: torch.Tensor) -> None:
    torch.ops.aten.hardswish_backward.out(gradient, x, out=out)


#: Activations by their ONNX names: in place, and what comes back.
_ACTIVATIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None]]] = {
    "Relu": (F.relu_, _relu_back),
    "HardSwish": (partial(F.hardswish, inplace=True), _hard_swish_back),
}


class _BandNorm(torch.autograd.Function):
    """See `band_norm`."""

    @staticmethod
    def forward(
        context: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        number: torch.Tensor,
        bands: Sequence[Band],
        eps: float,
        activation: str,
    ) -> torch.Tensor:
        """Sums of all bands first, then every value times a factor plus a term."""
        parts = [(band, band.masked(band.of(x))) for band in bands]
        mean = _total(bands, [part.sum(1) for _, part in parts], weight).div_(number)
        square = _total(bands, [part.square().sum(1) for _, part in parts], weight).div_(number)
        inverse = torch.rsqrt((square - mean.square()).clamp_(min=0) + eps)
        scale = weight * inverse
        shift = torch.addcmul(bias, mean, scale, value=-1)[:, None]
        factor = scale[:, None]
        normal, end = torch.empty_like(x), bands[-1].end
        normal[end:] = x[end:]
        for band, part in parts:
            own = band.of(normal)
            torch.addcmul(_of(shift, band), part, _of(factor, band), out=own)
            band.clear(own)
        result = normal.clone() if activation == "HardSwish" else normal  # ReLU's derivative needs no value before it
        if activation:
            _ACTIVATIONS[activation][0](result[:end])
        context.bands, context.activation = bands, activation
        context.save_for_backward(x, normal, weight, number, mean, inverse)
        return result

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """What comes back is a factor times the gradient, plus a factor times the value, plus a term, by channel."""
        x, normal, weight, number, mean, inverse = context.saved_tensors
        bands, result = context.bands, _before_activation(gradient.contiguous(), normal, context.bands[-1].end, context.activation)
        parts = [(band, band.of(result), band.of(x)) for band in bands]
        for band, part, _ in parts:
            band.clear(part)
        shift = _total(bands, [part.sum(1) for _, part, _ in parts], weight)
        product = _total(bands, [(part * value).sum(1) for _, part, value in parts], weight)
        scale = (product - mean * shift) * inverse  # the sum of gradient times normalised value
        factor = weight * inverse
        share = factor / number
        slope = -share * inverse * scale
        level = -torch.addcmul(share * shift, slope, mean)
        factor, slope, level = factor[:, None], slope[:, None], level[:, None]
        for band, part, value in parts:
            torch.addcmul(_of(level, band), part, _of(factor, band), out=part).addcmul_(value, _of(slope, band))
            band.clear(part)
        return result, scale, shift, None, None, None, None


def _of(vector: torch.Tensor, band: Band) -> torch.Tensor:
    """The channels of a band."""
    return vector if (band.low, band.high) == (0, len(vector)) else vector[band.channels]


def _total(bands: Sequence[Band], parts: Sequence[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """The sum over bands of what each has of its channels, `(channels,)`."""
    if len(bands) == 1 and len(parts[0]) == len(like):
        return parts[0]
    result = torch.zeros_like(like)
    for band, part in zip(bands, parts, strict=True):
        result[band.channels].add_(part)
    return result


def _before_activation(gradient: torch.Tensor, normal: torch.Tensor, end: int, activation: str) -> torch.Tensor:
    """What comes back through the activation of the rows before `end`; a tensor of its own."""
    result = torch.empty_like(gradient)
    result[end:] = gradient[end:]
    if activation:
        _ACTIVATIONS[activation][1](gradient[:end], normal[:end], result[:end])
    else:
        result[:end] = gradient[:end]
    return result


def band_norm(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, number: torch.Tensor, bands: Sequence[Band], eps: float, activation: str
) -> torch.Tensor:
    """Batch-norm, then an activation by its ONNX name ("" for none), of `x` `(rows, values)`.

    Every channel is normalised over the images that have it: `number` `(channels,)` of values. The result is 0 where an image of a band has
    no channel; rows behind the last band stay what they are. `weight` and `bias` are `(channels,)`.
    """
    result: torch.Tensor = _BandNorm.apply(x, weight, bias, number, bands, eps, activation)  # type: ignore[no-untyped-call]
    return result
