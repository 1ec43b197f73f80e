"""The numbers of a training, checked, and the learning rate they give."""

from __future__ import annotations

import math
from dataclasses import dataclass

from device_profiles.errors import InputError


@dataclass(frozen=True, slots=True)
class Recipe:
    """SGD with Nesterov momentum, a cosine learning rate after a warm-up, label smoothing, clipped gradients, small random shifts.

    The defaults were chosen on the digits at 32 pixels, by the accuracy of random sub-nets: at equal cost, more and longer steps are worth
    more than more images in each. Weight decay spares batch-norm and biases.
    """

    epochs: int = 16
    batch_size: int = 32
    learning_rate: float = 0.5
    momentum: float = 0.9
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    shift: int = 1
    warmup_epochs: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "epochs": (1, 10**6), "batch_size": (2, 10**6), "learning_rate": (1e-9, 1e3), "momentum": (1e-9, 0.9999),
            "weight_decay": (0, 10),
            "label_smoothing": (0, 0.99), "clip_norm": (1e-9, 1e9), "shift": (0, 64), "warmup_epochs": (0, 10**6), "seed": (0, 2**63 - 1),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:  # also refuses NaN
                raise InputError(f"{name} must be between {low:g} and {high:g}, got {value}")

    def rate(self, progress: float, epoch: float) -> float:
        """The learning rate after a share `progress` (0..1) of the training and this many epochs."""
        warm = min(1.0, epoch / self.warmup_epochs) if self.warmup_epochs > 0 else 1.0
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(slots=True)
class Plan:
    """How far a training is: epochs done of `epochs`, epochs left, and the share (0..1) of the learning-rate schedule that is behind.

    With a time limit only the epochs that fit are left, and the rest of the schedule is spread over them, so that the learning rate still
    ends near 0.
    """

    epochs: int
    done: int
    left: int
    share: float

    @classmethod
    def of(cls, epochs: int) -> Plan:
        """The plan of a training that begins."""
        return cls(epochs, 0, epochs, 0.0)

    def progress(self, part: float) -> float:
        """The share of the schedule after `part` (0..1) of the next epoch."""
        return self.share + (1 - self.share) * part / self.left

    def advance(self, fitting: int | None = None) -> None:
        """Closes an epoch; at most `fitting` more are left when a number is given."""
        self.share = self.progress(1.0)
        self.done += 1
        rest = self.epochs - self.done
        self.left = rest if fitting is None else max(0, min(rest, fitting))
