"""What a training strategy is: which sub-nets one batch trains, and on which loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from hwnas.spaces.base import SearchSpace
from hwnas.supernet.base import Architecture, Supernet


@dataclass(frozen=True)
class Batch:
    """What one step has to work with.

    `images` are pixels 0..1, `(n, c, h, w)`, `labels` are `(n,)`; `rng` draws sub-nets; `progress` of the whole training goes from 0 to 1.
    `held_out` are images and labels that no weight is trained on, for a strategy that asks for them. Where several processes share the
    work, `images` are this process's part of a batch of `total` (0: of these).
    """

    images: torch.Tensor
    labels: torch.Tensor
    rng: np.random.Generator
    progress: float
    label_smoothing: float
    held_out: tuple[torch.Tensor, torch.Tensor] | None = None
    total: int = 0

    def backward(self, loss: torch.Tensor) -> None:
        """Differentiates a mean over these images as their share in the mean over the whole batch."""
        share = len(self.labels) / self.total if self.total else 1.0
        (loss if share == 1 else share * loss).backward()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Pass:
    """What became of one sub-net in one step: its loss and how many images it got right."""

    architecture: Architecture
    loss: float
    correct: int


@dataclass
class Strategy(ABC):
    """One way to train shared weights. A subclass is a dataclass whose fields are its options.

    `step` adds up gradients and leaves the optimiser alone. A strategy that learns something itself (a policy, a teacher) hands it out as
    tensors in `state`, so that an interrupted training goes on where it stopped.
    """

    name: ClassVar[str]

    @abstractmethod
    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """Runs and differentiates the sub-nets of this step; the first pass returned is the one whose accuracy is logged."""

    def supernet(self, space: SearchSpace) -> Supernet:
        """The module that is trained: the space's own super-network unless the strategy shares weights otherwise."""
        result: Supernet = space.supernet()
        return result

    def held_out_share(self) -> float:
        """The share of the training images that is kept from the weights and given to every step as `Batch.held_out`."""
        return 0.0

    def sorts(self, space: SearchSpace, progress: float) -> Sequence[str]:
        """The dimensions whose channels are to be sorted by importance before the next step; none by default."""
        return ()

    def options(self) -> dict[str, Any]:
        """The options as JSON."""
        return asdict(self)

    def state(self) -> dict[str, torch.Tensor]:
        """What has been learned besides the shared weights; nothing by default."""
        return {}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:  # noqa: B027 - most strategies learn nothing
        """The inverse of `state`."""


def supervised(supernet: Supernet, batch: Batch) -> tuple[Pass, torch.Tensor]:
    """Differentiates the cross-entropy of the active sub-net; returns also its logits `(n, classes)`, detached."""
    logits = supernet(batch.images)
    loss = F.cross_entropy(logits, batch.labels, label_smoothing=batch.label_smoothing)
    batch.backward(loss)
    return _outcome(supernet, batch, logits, loss), logits.detach()


def distilled(supernet: Supernet, batch: Batch, teacher: torch.Tensor, labels: float = 0.0) -> Pass:
    """Differentiates the cross-entropy of the active sub-net against the teacher's probabilities `(n, classes)`.

    `labels` times the cross-entropy against the labels is added.
    """
    logits = supernet(batch.images)
    loss = F.cross_entropy(logits, teacher)
    if labels:
        loss = loss + labels * F.cross_entropy(logits, batch.labels, label_smoothing=batch.label_smoothing)
    batch.backward(loss)
    return _outcome(supernet, batch, logits, loss)


def _outcome(supernet: Supernet, batch: Batch, logits: torch.Tensor, loss: torch.Tensor) -> Pass:
    return Pass(supernet.active, loss.detach().item(), int((logits.argmax(1) == batch.labels).sum()))
