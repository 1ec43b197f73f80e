"""The sandwich rule with in-place distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from device_profiles.errors import InputError
from hwnas.supernet.base import Supernet
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, distilled, supervised


@dataclass
class Sandwich(Strategy):
    """Every step trains the largest sub-net, the smallest, and `random` others; the largest one teaches the rest.

    Yu & Huang, Universally Slimmable Networks and Improved Training Techniques, ICCV 2019, sections 3.2 (sandwich rule) and 3.4 (in-place
    distillation: the soft predictions of the largest sub-net, without gradient, are the only targets of all others). The gradients of all
    sub-nets are added up before the weights move.
    """

    name: ClassVar[str] = "sandwich"

    random: int = 2
    distill: bool = True

    def __post_init__(self) -> None:
        if self.random < 0:
            raise InputError(f"sandwich: the number of random sub-nets must not be negative, got {self.random}")

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass per sub-net: largest, smallest, random."""
        space = supernet.space
        supernet.activate(space.largest())
        first, logits = supervised(supernet, batch)
        passes, teacher = [first], logits.softmax(1)
        for arch in [space.smallest()[0], *space.sample(self.random, batch.rng)]:
            supernet.activate(arch)
            passes.append(distilled(supernet, batch, teacher) if self.distill else supervised(supernet, batch)[0])
        return passes
