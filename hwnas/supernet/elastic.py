"""Layers of which a part can be used: the first channels, the centre of the kernel.

Slicing channels follows Slimmable Neural Networks (Yu et al., ICLR 2019), the kernel's centre and its transformation Once-for-All (Cai et
al., ICLR 2020, sections 3.2 and 3.3). Weights are left uninitialised: see `hwnas.supernet.initialise`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from device_profiles.errors import InputError
from hwnas.supernet.processes import batch_norm


class ElasticConv2d(nn.Module):
    """A convolution that uses the first output channels, the first (or chosen runs of) input channels and the centre of its kernel.

    `weight` is `(c_out, c_in, height, width)`, for a depthwise convolution `(c_out, 1, height, width)`; zeros pad every side so that
    height and width stay but for the stride. There is a bias when `bias`. Kernels are odd: one number, or height and width.

    With `kernels`, the sides of the square ones to be selected, a smaller kernel is the centre of the next larger one times a learned
    matrix `(size ** 2, size ** 2)` of this layer, the same for all channels, which begins as the identity.
    """

    c_in: int
    c_out: int
    kernel: int | tuple[int, int]
    columns: tuple[tuple[int, int], ...]
    groups: int
    padding: tuple[int, int]
    parts: list[tuple[slice, ...]]

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        depthwise: bool = False,
        dilation: int = 1,
        bias: bool = False,
        kernels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if any(side % 2 == 0 for side in (*_pair(kernel), *kernels)):
            raise InputError(f"an elastic convolution needs an odd kernel, got {kernel} {kernels or ''}".rstrip())
        if kernels and max(kernels) != kernel:
            raise InputError(f"the largest of the kernels must be that of the weights, {kernel}, got {', '.join(map(str, kernels))}")
        self.stride, self.depthwise, self.dilation = stride, depthwise, dilation
        self.size = _pair(kernel)
        self.weight = nn.Parameter(torch.empty(c_out, 1 if depthwise else c_in, *self.size))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        self.steps = tuple(itertools.pairwise(sorted(set(kernels), reverse=True)))
        self.transforms = nn.ParameterDict({_matrix(*step): nn.Parameter(torch.empty(step[1] ** 2, step[1] ** 2)) for step in self.steps})
        self.select(c_in, c_out, kernel)

    def select(self, c_in: int, c_out: int, kernel: int | tuple[int, int], columns: tuple[tuple[int, int], ...] = ()) -> None:
        """Uses this many channels and this kernel from now on, and of the input channels of the weights the runs `(first, number)`."""
        if self.steps and not any(kernel in step for step in self.steps):
            raise InputError(f"kernel {kernel} is none of those that there are transformations between: {self.steps}")
        height, width = _pair(kernel)
        inner = () if self.steps else _centre(self.size, height, width)
        runs = columns or ((0, 1 if self.depthwise else c_in),)
        # Not one by one: a module looks at everything that is set on it, and every step of a small sub-net selects all its layers.
        self.__dict__.update(
            c_in=c_in, c_out=c_out, kernel=kernel, columns=columns, groups=c_in if self.depthwise else 1,
            padding=(self.dilation * (height // 2), self.dilation * (width // 2)),
            parts=[(slice(c_out), slice(first, first + number), *inner) for first, number in runs],
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Shown by `print`: what there is, and what is in use."""
        return f"{tuple(self.weight.shape)}, using c_in={self.c_in}, c_out={self.c_out}, kernel={self.kernel}, stride={self.stride}"

    def selected(self) -> torch.Tensor:
        """The weights in use, `(c_out, c_in or 1, height, width)`: a view, unless they are put together or transformed."""
        weights = [self.weight[part] for part in self.parts]
        return self._transformed(weights[0] if len(weights) == 1 else torch.cat(weights, 1), _pair(self.kernel)[0])

    def first(self, channels: int, kernel: int) -> torch.Tensor:
        """The weights of the first output channels with a square kernel, `(channels, c_in or 1, kernel, kernel)`, whatever is in use."""
        if self.steps:
            return self._transformed(self.weight[:channels], kernel)
        return self.weight[(slice(channels), slice(None), *_centre(self.size, kernel, kernel))]

    def _transformed(self, weight: torch.Tensor, kernel: int) -> torch.Tensor:
        """Weights with the largest kernel as those with a smaller one, where there are transformations."""
        for large, small in self.steps:
            if large <= kernel:
                break
            centre = weight[(slice(None), slice(None), *_centre((large, large), small, small))]
            weight = (centre.flatten(2) @ self.transforms[_matrix(large, small)].T).unflatten(2, (small, small))
        return weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution of `(n, c_in, h, w)` with the weights in use."""
        bias = None if self.bias is None else self.bias[: self.c_out]
        return F.conv2d(x, self.selected(), bias, self.stride, self.padding, self.dilation, self.groups)

    def build(self) -> nn.Conv2d:
        """A plain layer with a copy of the weights in use."""
        sizes = (self.c_in, self.c_out, _pair(self.kernel), self.stride, self.padding, self.dilation, self.groups)
        conv = nn.Conv2d(*sizes, bias=self.bias is not None)
        conv.weight = nn.Parameter(self.selected().detach().clone(memory_format=torch.channels_last))
        if self.bias is not None:
            conv.bias = nn.Parameter(self.bias[: self.c_out].detach().clone())
        return conv


def _pair(kernel: int | tuple[int, int]) -> tuple[int, int]:
    return kernel if isinstance(kernel, tuple) else (kernel, kernel)


def _matrix(large: int, small: int) -> str:
    return f"{large}to{small}"


def _centre(whole: Sequence[int], height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns in the middle of a kernel."""
    top, left = (whole[0] - height) // 2, (whole[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


class ElasticBatchNorm2d(nn.Module):
    """Batch-norm of the first channels. Scale and shift are shared by all sub-nets; statistics belong to one sub-net.

    In training mode a batch is normalised by its own statistics and nothing is remembered. `begin`, forward passes, `end` collect the
    statistics that eval mode uses.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    channels: int

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        # Not in checkpoints: they describe the sub-net calibrated last, not the shared weights.
        self.register_buffer("mean", torch.zeros(channels), persistent=False)
        self.register_buffer("variance", torch.ones(channels), persistent=False)
        self.eps, self.count, self.collecting = eps, 0, False
        self.select(channels)

    def select(self, channels: int) -> None:
        """Uses this many channels from now on."""
        self.__dict__["channels"] = channels  # for speed, as in a convolution

    def extra_repr(self) -> str:
        """Shown by `print`: what there is, and what is in use."""
        return f"{len(self.weight)}, using {self.channels}"

    def begin(self) -> None:
        """Starts to collect statistics."""
        self.count, self.collecting = 0, True

    def end(self) -> None:
        """Stops to collect statistics."""
        self.collecting = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(n, c, h, w)` normalised, scaled and shifted: by the statistics of the batch in training mode, else by those collected."""
        n = self.channels
        weight, bias = self.weight[:n], self.bias[:n]
        if self.collecting:
            return self._collect(x, weight, bias)
        if self.training:
            return batch_norm(x, weight, bias, self.eps)
        return F.batch_norm(x, self.mean[:n], self.variance[:n], weight, bias, False, 0.0, self.eps)

    def _collect(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Normalises the batch by its own statistics and merges these, by count, into those of the batches before."""
        mean, variance = torch.zeros_like(weight), torch.zeros_like(weight)
        result = F.batch_norm(x, mean, variance, weight, bias, True, 1.0, self.eps)  # momentum 1: mean and variance of this batch
        new = x.numel() // x.shape[1]
        variance.mul_((new - 1) / new)  # torch remembers the unbiased variance but normalises by the biased one
        if self.count:  # the parallel algorithm of Chan, Golub and LeVeque (1979)
            old_mean, old_variance, share = self.mean[: self.channels], self.variance[: self.channels], new / (self.count + new)
            delta = mean - old_mean
            variance = torch.lerp(old_variance, variance, share) + delta.square() * share * (1 - share)
            mean = torch.lerp(old_mean, mean, share)
        self.mean[: self.channels], self.variance[: self.channels] = mean, variance
        self.count += new
        return result

    def build(self) -> nn.BatchNorm2d:
        """A plain layer with copies of scale, shift and statistics in use."""
        norm = nn.BatchNorm2d(self.channels, self.eps)
        n = self.channels
        with torch.no_grad():
            norm.weight.copy_(self.weight[:n])
            norm.bias.copy_(self.bias[:n])
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(self.mean[:n])
        norm.running_var.copy_(self.variance[:n])
        return norm


class ElasticLinear(nn.Module):
    """A fully connected layer with bias that uses the first input and output features; `weight` is `(f_out, f_in)`."""

    def __init__(self, f_in: int, f_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(f_out, f_in))
        self.bias = nn.Parameter(torch.zeros(f_out))
        self.f_in, self.f_out = f_in, f_out

    def select(self, f_in: int, f_out: int) -> None:
        """Uses this many features from now on."""
        self.f_in, self.f_out = f_in, f_out

    def extra_repr(self) -> str:
        """Shown by `print`: what there is, and what is in use."""
        return f"{tuple(self.weight.shape)}, using f_in={self.f_in}, f_out={self.f_out}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The features `(n, f_out)` of `(n, f_in)`."""
        return F.linear(x, self.weight[: self.f_out, : self.f_in], self.bias[: self.f_out])

    def build(self) -> nn.Linear:
        """A plain layer with copies of the weights in use."""
        linear = nn.Linear(self.f_in, self.f_out)
        with torch.no_grad():
            linear.weight.copy_(self.weight[: self.f_out, : self.f_in])
            linear.bias.copy_(self.bias[: self.f_out])
        return linear
