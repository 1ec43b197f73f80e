"""Several processes that train one set of weights: what they tell each other, and what happens when one of them is gone.

Every process sees its own part of each batch; batch-norm, gradients and losses are those of the whole batch. With a single process all of
this does nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import torch
import torch.distributed as dist
import torch.nn.functional as F

from device_profiles.errors import DeviceError


def here() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if _many() else (0, 1)


def _many() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Joins the processes that `torchrun` started (NCCL on GPUs, else gloo) for as long as the context lasts; alone, nothing happens.

    Raises DeviceError, in every process that is left, when another one is gone.
    """
    mine = int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized()
    if mine:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    except (RuntimeError, dist.DistError) as error:
        if not _many() or not _lost(error):
            raise
        raise DeviceError(
            f"process {here()[0]} of {here()[1]} lost another one, which was killed or failed; "
            "the last checkpoint is kept: start all of them again with resume"
        ) from error
    finally:
        if mine:
            dist.destroy_process_group()


def _lost(error: Exception) -> bool:
    return isinstance(error, dist.DistError) or any(
        word in str(error) for word in ("Connection closed", "Connection reset", "gloo", "NCCL")
    )


def part(n: int) -> slice:
    """This process's rows of a batch of `n`."""
    rank, size = here()
    return slice(rank * n // size, (rank + 1) * n // size)


def mean(value: float, n: int) -> float:
    """The mean over all images of a mean over the `n` images here."""
    if not _many():
        return value
    sums = torch.tensor([value * n, n], dtype=torch.float64)
    dist.all_reduce(sums)
    return float(sums[0] / sums[1])


def count(number: int) -> int:
    """The sum over all processes."""
    return round(mean(number, 1) * here()[1])


class _Total(torch.autograd.Function):
    """A sum over processes; what each contributes has the sum of the gradients of all."""

    @staticmethod
    def forward(_context: object, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(_context: object, gradient: torch.Tensor) -> torch.Tensor:
        """Of every part, the sum of what comes back everywhere."""
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient


def total(x: torch.Tensor) -> torch.Tensor:
    """The sum of `x` over all processes, differentiable."""
    result: torch.Tensor = _Total.apply(x) if _many() else x  # type: ignore[no-untyped-call]
    return result


def batch_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float) -> torch.Tensor:
    """Batch-norm of `(n, c, h, w)` by the statistics of the whole batch, wherever its images are."""
    if not _many():
        return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
    n = x.numel() // x.shape[1]
    variance, mean_here = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    sums = total(torch.cat([mean_here * n, (variance + mean_here.square()) * n, x.new_tensor([n])]))
    first, second = (sums[:-1] / sums[-1]).tensor_split(2)
    scale = weight * torch.rsqrt((second - first.square()).clamp(min=0) + eps)
    return torch.addcmul((bias - first * scale)[None, :, None, None], x, scale[None, :, None, None])


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Adds up the gradients of all processes, which have trained the same sub-nets."""
    if not _many():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, summed in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))
