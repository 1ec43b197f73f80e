"""What a super-network is: shared weights of which one sub-net at a time is active."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.resize import resized
from hwnas.supernet.sorting import Order

Architecture = tuple[int, ...]


class UncalibratedError(InputError):
    """The sub-net has no batch-norm statistics of its own, so its predictions mean nothing."""


class SubNet(nn.Module):
    """A stand-alone sub-net: plain torch layers in `network`, its `architecture`, and whether its statistics are `calibrated`.

    Takes pixels of 0..1, `(n, c, h, w)`, and returns logits `(n, classes)`. Images of another size than `side` are resized first; those of
    that size go straight into the network.
    """

    def __init__(self, network: nn.Module, architecture: Architecture, calibrated: bool, side: int) -> None:
        super().__init__()
        self.network, self.architecture, self.calibrated, self.side = network, architecture, calibrated, side

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of pixels 0..1, `(n, c, h, w)`."""
        result: torch.Tensor = self.network(resized(images, self.side))
        return result


class Supernet(nn.Module):
    """Shared weights for every architecture of `space`; one sub-net is active at a time.

    A subclass builds its elastic layers, ends its constructor with `self.configure(self.active)`, and implements `configure` (select the
    sub-net), `forward` (run the selected sub-net) and `build` (copy it into plain layers). Checking architectures and the calibration
    contract are done here: batch-norm statistics belong to one sub-net and one state of the weights, so `activate` and every change of the
    weights end the calibration, and predicting in eval mode without it raises `UncalibratedError`. In training mode batches are normalised
    by their own statistics and no calibration is needed.
    """

    #: The images that it was trained on, when it was trained here.
    dataset: Dataset | None = None
    #: The folder of its checkpoint, when it has one.
    folder: Path | None = None

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space
        self.measuring = False  # calibrate() sets it while it runs the net in order to collect statistics
        self._active = self.architecture(space.largest())
        self._calibrated_for: tuple[int, ...] | None = None
        self.register_forward_pre_hook(_refuse_uncalibrated)
        self.register_load_state_dict_post_hook(_forget_calibration)  # type: ignore[no-untyped-call]

    @abstractmethod
    def configure(self, architecture: Architecture) -> None:
        """Selects the sub-net in the elastic layers; the architecture is legal and canonical."""

    @abstractmethod
    def build(self) -> nn.Module:
        """The selected sub-net as plain torch layers with copies of its weights and batch-norm statistics."""

    def forward_each(self, images: torch.Tensor, archs: Archs) -> torch.Tensor:
        """Logits `(n, classes)` of images `(n, c, h, w)`, each by the sub-net of its own row of canonical `archs` `(n, n_choices)`.

        For training: batch-norm uses the statistics of this batch, of every channel over the images that have it. A super-network that
        can do that overrides this; raises InputError otherwise.
        """
        raise InputError(
            f"the super-network of {self.space.name} cannot run a sub-net per image; choose another strategy, such as sandwich"
        )

    def pieces(self) -> dict[str, list[str]]:
        """The pieces of the network by name, first to last: the paths of their modules.

        By default every module in the order in which they were registered, lists and dictionaries of modules taken apart.
        """
        return {path: [path] for path in _taken_apart(self)}

    def channel_order(self, dimension: str) -> Order:
        """The channels of a dimension, `expansion` or `width`, by falling importance, such that the largest network stays what it is.

        A super-network whose channels are elastic overrides this; raises InputError otherwise.
        """
        raise InputError(f"the channels of the super-network of {self.space.name} cannot be sorted: train it without sorting")

    @property
    def active(self) -> Architecture:
        """The canonical architecture of the active sub-net; the largest one at first."""
        return self._active

    def activate(self, arch: Sequence[int] | Archs) -> None:
        """Makes one architecture, shape `(n_choices,)` or `(1, n_choices)`, the active sub-net and ends its calibration.

        Raises InputError, before anything changes, when the space does not know the architecture.
        """
        architecture = self.architecture(arch)
        self.configure(architecture)
        self._active, self._calibrated_for = architecture, None

    def architecture(self, arch: npt.ArrayLike) -> Architecture:
        """One architecture checked and in canonical form. Raises InputError when it is none, or more than one."""
        rows = self.space.canonical(np.asarray(arch))
        if len(rows) != 1:
            raise InputError(f"one architecture is needed here, got {len(rows)}")
        return tuple(rows[0].tolist())

    @property
    def calibrated(self) -> bool:
        """Whether the batch-norm statistics are those of the active sub-net with the present weights."""
        return self._calibrated_for == self._weights_version()

    def mark_calibrated(self) -> None:
        """Says that the statistics are now those of the active sub-net; `calibrate` calls it."""
        self._calibrated_for = self._weights_version()

    def forget_calibration(self) -> None:
        """Says that the statistics mean nothing any more."""
        self._calibrated_for = None

    def require_calibrated(self) -> None:
        """Raises UncalibratedError unless the active sub-net is calibrated."""
        if not self.calibrated:
            raise UncalibratedError(
                f"sub-net {list(self.active)} is not calibrated, so its predictions mean nothing: "
                "call hwnas.supernet.calibrate(supernet, images) after activate() and after training"
            )

    def extract(self, arch: Sequence[int] | Archs | None = None) -> SubNet:
        """A stand-alone module of an architecture (the active one when None) with copies of its weights.

        Its outputs equal those of the active sub-net. The calibrated statistics come along when the architecture is the active,
        calibrated one; otherwise the statistics are those of a fresh batch-norm and the module is one to train. The super-network is left
        as it was. Raises InputError for an illegal architecture.
        """
        architecture = self._active if arch is None else self.architecture(arch)
        calibrated = architecture == self._active and self.calibrated
        self.configure(architecture)
        try:
            with torch.random.fork_rng(devices=[]):  # constructors of plain layers draw weights that are overwritten at once
                network = self.build()
        finally:
            self.configure(self._active)
        if not calibrated:
            for module in network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.reset_running_stats()
        return SubNet(network, architecture, calibrated, self.space.image_shape(architecture)[1]).train(self.training)

    def _weights_version(self) -> tuple[int, ...]:
        """Changes with every change in place of any weight, so that no training step can keep a calibration alive."""
        return tuple(parameter._version for parameter in self.parameters())


def _taken_apart(module: nn.Module, prefix: str = "") -> list[str]:
    """The paths of the modules in a module, and of those in its lists and dictionaries in their place."""
    found: list[str] = []
    for name, child in module.named_children():
        inner = isinstance(child, nn.ModuleList | nn.ModuleDict)
        found += _taken_apart(child, f"{prefix}{name}.") if inner else [prefix + name]
    return found


def _refuse_uncalibrated(supernet: nn.Module, _inputs: Any) -> None:
    assert isinstance(supernet, Supernet)
    if not supernet.training and not supernet.measuring:
        supernet.require_calibrated()


def _forget_calibration(supernet: nn.Module, _keys: Any) -> None:
    assert isinstance(supernet, Supernet)
    supernet.forget_calibration()
