"""Batch-norm folded into the convolution before it, as every exporter and runtime does."""

from __future__ import annotations

import itertools

import torch
from torch import nn


def fold_batch_norm(module: nn.Module) -> None:
    """Folds, in place, every batch-norm that follows a convolution in an `nn.Sequential`; for modules in eval mode only.

    The convolution gets a bias, the batch-norm disappears; outputs change by rounding alone.
    """
    for child in module.children():
        fold_batch_norm(child)
    if not isinstance(module, nn.Sequential):
        return
    for name, following in itertools.pairwise(list(module._modules)):
        conv, norm = module._modules.get(name), module._modules[following]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            _fold(conv, norm)
            del module._modules[following]


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        before = conv.bias if conv.bias is not None else torch.zeros_like(norm.running_mean)
        conv.bias = nn.Parameter((before - norm.running_mean) * scale + norm.bias)
        conv.weight.mul_(scale.reshape(-1, 1, 1, 1))
