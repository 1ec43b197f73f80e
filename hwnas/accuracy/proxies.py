"""Zero-cost proxies: what an untrained network says about how well it would learn; after Abdelfattah et al., Zero-Cost Proxies for
Lightweight NAS, ICLR 2021, which compares them. More is better throughout; none of them is an accuracy.

A proxy of a network takes a module with fresh weights, images `(n, c, h, w)` of 0..1 and their labels `(n,)`. The module is used up: its
mode and its batch-norm statistics change.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

#: Calls that are activations with a kink at 0.
_KINKED = {F.relu, F.hardswish, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_}
#: Added to the diagonal of the kernel of `naswot`: a network that cannot tell two images apart is bad, not impossible.
_RIDGE = 1e-6


def synflow(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The logarithm of 1 plus the synaptic flow: the sum over weights of |weight x gradient| of the sum of outputs for an image of ones,
    all weights made positive. Looks at the shape of `images` only.

    Tanaka et al., Pruning Neural Networks without Any Data by Iteratively Conserving Synaptic Flow, NeurIPS 2020. Batch-norm is left at
    its first statistics, which change nothing.
    """
    positive = copy.deepcopy(network).to(torch.float64).eval()
    with torch.no_grad():
        for weight in positive.parameters():
            weight.abs_()
    output = positive(torch.ones((1, *images.shape[1:]), dtype=torch.float64)).sum()
    weights = list(positive.parameters())
    flows = zip((weight.detach() for weight in weights), _gradients(output, weights), strict=True)
    return math.log1p(sum(float((weight * gradient).abs().sum()) for weight, gradient in flows))


def naswot(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The logarithm of the determinant of the kernel that counts, for every pair of images, the activations on the same side of 0.

    Mellor et al., Neural Architecture Search without Training, ICML 2021. Labels are not used.
    """
    kernel = _RIDGE * torch.eye(len(images), dtype=torch.float64)
    with torch.no_grad(), _Kinks() as kinks:
        network.train()(images)
    for active in kinks.active:
        code = active.flatten(1).to(torch.float64)
        kernel += code @ code.T + (1 - code) @ (1 - code).T
    return float(np.linalg.slogdet(kernel.numpy())[1])


def grad_norm(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The sum over weights (matrices, kernels, vectors) of the Euclidean norm of the gradient of the cross-entropy of one batch.

    Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, section 3.1.
    """
    loss = F.cross_entropy(network.train()(images), labels)
    return sum(float(gradient.norm()) for gradient in _gradients(loss, network.parameters()))


#: Proxies that need the network with its weights, by name.
PROXIES: Mapping[str, Callable[[nn.Module, torch.Tensor, torch.Tensor], float]] = {
    "synflow": synflow, "naswot": naswot, "grad_norm": grad_norm,
}  # fmt: skip


class _Kinks(TorchFunctionMode):
    """Notes, while it is on, which inputs of kinked activations are above 0, whether a module or a function applies them."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[torch.Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Looks at the call and lets it through; calls within it are not looked at again."""
        if func in _KINKED:
            self.active.append(args[0] > 0)
        return func(*args, **(kwargs or {}))


def _gradients(output: torch.Tensor, weights: Iterable[nn.Parameter]) -> list[torch.Tensor]:
    """The gradients by weights; zeros where the output does not depend on one."""
    used = list(weights)
    found = torch.autograd.grad(output, used, allow_unused=True)
    return [torch.zeros_like(weight) if gradient is None else gradient for weight, gradient in zip(used, found, strict=True)]
