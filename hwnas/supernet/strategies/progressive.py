"""Progressive shrinking: the largest sub-net first, then ever smaller ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import SubNet, Supernet
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, distilled, supervised


@dataclass
class Progressive(Strategy):
    """The largest sub-net for a share `largest` of the training, then one dimension of the space after the other opens up.

    Cai et al., Once-for-All: Train One Network and Specialize it for Efficient Deployment, ICLR 2020, section 3.3. `order` names the
    dimensions by the last word of their choices; what it does not name opens last. Within its phase a dimension opens from its largest
    value downwards. After the first phase every step trains `subnets` sub-nets on the labels and, where `distill`, on the predictions of
    the largest sub-net as it was at the end of that phase.
    """

    name: ClassVar[str] = "progressive"

    largest: float = 0.25
    subnets: int = 2
    distill: bool = True
    order: tuple[str, ...] = ("kernel", "depth", "expansion", "width")

    def __post_init__(self) -> None:
        if not 0 <= self.largest < 1 or self.subnets < 1:
            raise InputError(f"progressive needs 0 <= largest < 1 and subnets >= 1, got {self.largest} and {self.subnets}")
        self.order = tuple(self.order)
        self._teacher: SubNet | None = None
        self._weights: dict[str, torch.Tensor] = {}

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass of the largest sub-net in the first phase, one per drawn sub-net afterwards."""
        if batch.progress < self.largest:
            supernet.activate(supernet.space.largest())
            return [supervised(supernet, batch)[0]]
        teacher = self._teach(supernet, batch.images) if self.distill else None
        low, cardinalities = self.lowest(supernet.space, batch.progress), supernet.space.cardinalities
        passes = []
        for arch in supernet.space.canonical(batch.rng.integers(low, cardinalities, size=(self.subnets, len(low)))):
            supernet.activate(arch)
            passes.append(supervised(supernet, batch)[0] if teacher is None else distilled(supernet, batch, teacher, labels=1.0))
        return passes

    def lowest(self, space: SearchSpace, progress: float) -> Archs:
        """The least index that each choice may take at this `progress` (0..1) of the training, `(n_choices,)`."""
        words = [choice.name.rpartition(".")[2] for choice in space.choices]
        phases = [word for word in self.order if word in words]
        place = np.array([phases.index(word) if word in phases else len(phases) for word in words])
        number = int(place.max()) + 1
        done = (progress - self.largest) / (1 - self.largest) * number - place  # phases since each choice's own began
        most = space.cardinalities - 1
        opened = np.where(done < 0, 0, np.minimum(most, 1 + np.floor(np.clip(done, 0, 1) * most).astype(np.int64)))
        result: Archs = most - opened
        return result

    def _teach(self, supernet: Supernet, images: torch.Tensor) -> torch.Tensor:
        """The teacher's probabilities `(n, classes)`; the teacher is copied when it is first needed."""
        if self._teacher is None:
            self._teacher = supernet.extract(supernet.space.largest()).requires_grad_(False).to(images.device)
            self._teacher.load_state_dict(self._weights, strict=False)
            self._weights = dict(self._teacher.named_parameters())
        with torch.no_grad():
            return self._teacher.train()(images).softmax(1)  # type: ignore[no-any-return]

    def state(self) -> dict[str, torch.Tensor]:
        """The teacher's weights; its batch-norm uses the statistics of each batch."""
        return self._weights

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        self._teacher, self._weights = None, state
