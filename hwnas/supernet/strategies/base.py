"""What a training strategy is: which sub-nets one batch trains, and on which loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from hwnas.supernet.base import Architecture, Supernet


@dataclass(frozen=True)
class Batch:
    """What one step has to work with.

    `images` are pixels 0..1, `(n, c, h, w)`, `labels` are `(n,)`; `rng` draws sub-nets; `progress` of the whole training goes from 0 to 1.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rng: np.random.Generator
    progress: float
    label_smoothing: float


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

    def options(self) -> dict[str, Any]:
        """The options as JSON."""
        return asdict(self)

    def state(self) -> dict[str, torch.Tensor]:
        """What has been learned besides the shared weights; nothing by default."""
        return {}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:  # noqa: B027 - most strategies learn nothing
        """The inverse of `state`."""


def supervised(supernet: Supernet, batch: Batch, weight: float = 1.0) -> tuple[Pass, torch.Tensor]:
    """Differentiates `weight` times the cross-entropy of the active sub-net; returns also its logits `(n, classes)`, detached."""
    logits = supernet(batch.images)
    loss = F.cross_entropy(logits, batch.labels, label_smoothing=batch.label_smoothing)
    (weight * loss).backward()  # type: ignore[no-untyped-call]
    return _outcome(supernet, batch, logits, loss), logits.detach()


def distilled(supernet: Supernet, batch: Batch, teacher: torch.Tensor, weight: float = 1.0) -> Pass:
    """Differentiates `weight` times the cross-entropy of the active sub-net against the teacher's probabilities `(n, classes)`."""
    logits = supernet(batch.images)
    loss = F.cross_entropy(logits, teacher)
    (weight * loss).backward()  # type: ignore[no-untyped-call]
    return _outcome(supernet, batch, logits, loss)


def _outcome(supernet: Supernet, batch: Batch, logits: torch.Tensor, loss: torch.Tensor) -> Pass:
    return Pass(supernet.active, loss.detach().item(), int((logits.argmax(1) == batch.labels).sum()))
