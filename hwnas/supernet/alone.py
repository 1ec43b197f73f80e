"""A super-network of one architecture: plain layers that share nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.elastic import ElasticBatchNorm2d


class Alone(Supernet):
    """One architecture of `space` as a network of its own, trained, calibrated, scored and extracted as every super-network is.

    Its layers are the plain ones of an extracted sub-net; only batch-norm is the one that can be calibrated. Activating another
    architecture raises InputError.
    """

    def __init__(self, space: SearchSpace, architecture: Sequence[int] | Archs) -> None:
        super().__init__(space)
        self._active = self.architecture(architecture)
        self.network = space.supernet().extract(self._active).network
        _swap(self.network, nn.BatchNorm2d, lambda norm: ElasticBatchNorm2d(norm.num_features, norm.eps))

    def configure(self, architecture: Architecture) -> None:
        """Nothing to select; raises InputError for another architecture."""
        if architecture != self._active:
            raise InputError(f"these weights are of the stand-alone architecture {list(self._active)}, not of {list(architecture)}")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of pixels 0..1, `(n, c, h, w)`."""
        logits: torch.Tensor = self.network(images)
        return logits

    def build(self) -> nn.Module:
        """A copy in plain layers."""
        network: nn.Module = copy.deepcopy(self.network)
        _swap(network, ElasticBatchNorm2d, ElasticBatchNorm2d.build)
        return network


def _swap(module: nn.Module, kind: type[nn.Module], make: Callable[[Any], nn.Module]) -> None:
    """Replaces, in place, every layer of a kind within `module` by what `make` gives for it."""
    for name, child in module.named_children():
        if isinstance(child, kind):
            setattr(module, name, make(child))
        else:
            _swap(child, kind, make)
