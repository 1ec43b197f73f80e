"""The numbers of a training, checked, and the learning rate they give."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from device_profiles.errors import InputError, unknown

#: Optimisers, each with the learning rate that it gets unless told otherwise.
OPTIMISERS = {"sgd": 0.5, "adamw": 0.004}
#: What is left of the learning rate after a share of the training.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "linear": lambda progress: 1 - progress,
    "constant": lambda progress: 1.0,
}
#: Numbers in which sub-nets compute while they train; weights and optimiser are float32 always.
PRECISIONS = ("float32", "bfloat16")

_BOUNDS = {
    "epochs": (1, 10**6), "batch_size": (2, 10**6), "learning_rate": (1e-9, 1e3), "momentum": (1e-9, 0.9999), "weight_decay": (0, 10),
    "label_smoothing": (0, 0.99), "clip_norm": (1e-9, 1e9), "shift": (0, 64), "cutout": (0, 1024), "warmup_epochs": (0, 10**6),
    "average": (0, 0.99999), "seed": (0, 2**63 - 1),
}  # fmt: skip
_WHOLE = ("epochs", "batch_size", "shift", "cutout", "seed")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How weights are trained, whatever the strategy. By default SGD with Nesterov momentum, a cosine learning rate after a warm-up.

    `learning_rate` None is the optimiser's own (`OPTIMISERS`). Gradients are clipped to the norm `clip_norm`; weight decay spares
    batch-norm and biases. Augmentation: images move by up to `shift` pixels, half are mirrored where `flip`, and lose a square of `cutout`
    pixels a side (0: none).
    `average` is the decay of the exponential average of the weights that is used after training; 0 uses the last weights.
    The defaults were chosen on the digits at 32 pixels, by the accuracy of random sub-nets: at equal cost, more and longer steps are worth
    more than more images in each. Raises InputError that names the option and its range.
    """

    epochs: int = 16
    batch_size: int = 32
    optimiser: str = "sgd"
    learning_rate: float | None = None
    schedule: str = "cosine"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    shift: int = 1
    flip: bool = False
    cutout: int = 0
    warmup_epochs: float = 1.0
    average: float = 0.0
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, legal in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in legal:
                raise unknown(name, str(getattr(self, name)), legal)
        if not isinstance(self.flip, bool):
            raise InputError(f"flip must be true or false, got {self.flip!r}")
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if name == "learning_rate" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # also refuses NaN
                raise InputError(f"{name} must be between {low:g} and {high:g}, got {value!r}")
            if name in _WHOLE and not isinstance(value, int):
                raise InputError(f"{name} must be a whole number, got {value!r}")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Recipe:
        """A recipe from options by name. Raises InputError for a name that is none."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise unknown("training option", name, known)
        return cls(**options)

    @property
    def peak(self) -> float:
        """The largest learning rate."""
        return OPTIMISERS[self.optimiser] if self.learning_rate is None else self.learning_rate

    def rate(self, progress: float, epoch: float) -> float:
        """The learning rate after a share `progress` (0..1) of the training and this many epochs."""
        warm = min(1.0, epoch / self.warmup_epochs) if self.warmup_epochs > 0 else 1.0
        return self.peak * warm * SCHEDULES[self.schedule](progress)


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
