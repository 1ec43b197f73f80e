"""Progressive shrinking: the largest sub-net first, then ever smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import SubNet, Supernet
from hwnas.supernet.sorting import DIMENSIONS
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, distilled, supervised

#: Before the names of sorted dimensions, among the tensors of the state.
_SORTED = "sorted."


@dataclass
class Progressive(Strategy):
    """The largest sub-net for a share `largest` of the training, then one dimension of the space after the other opens up.

    Cai et al., Once-for-All: Train One Network and Specialize it for Efficient Deployment, ICLR 2020, section 3.3. `order` names the
    dimensions by the last word of their choices; what it does not name opens last. Within its phase a dimension opens from its largest
    value downwards. After the first phase every step trains `subnets` sub-nets on the labels and, where `distill`, on the predictions of
    the largest sub-net as it was at the end of that phase. With `sort`, the channels that an opening dimension cuts are sorted by
    importance first, so that the smaller sub-nets begin with the best of them.
    """

    name: ClassVar[str] = "progressive"

    largest: float = 0.25
    subnets: int = 2
    distill: bool = True
    order: tuple[str, ...] = ("kernel", "depth", "expansion", "width")
    sort: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.largest < 1 or self.subnets < 1:
            raise InputError(f"progressive needs 0 <= largest < 1 and subnets >= 1, got {self.largest} and {self.subnets}")
        self.order = tuple(self.order)
        self._teacher: SubNet | None = None
        self._weights: dict[str, torch.Tensor] = {}
        self._sorted: list[str] = []

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
        words, phases = _words(space), self._phases(space)
        done = np.array([self._done(phases, word, progress) for word in words])
        most = space.cardinalities - 1
        opened = np.where(done < 0, 0, np.minimum(most, 1 + np.floor(np.clip(done, 0, 1) * most).astype(np.int64)))
        result: Archs = most - opened
        return result

    def sorts(self, space: SearchSpace, progress: float) -> Sequence[str]:
        """Each dimension once, when its phase begins."""
        phases = self._phases(space)
        due = [word for word in DIMENSIONS if self.sort and word in phases and word not in self._sorted]
        due = [word for word in due if progress >= self.largest and self._done(phases, word, progress) >= 0]
        self._sorted += due
        return due

    def _phases(self, space: SearchSpace) -> list[str]:
        """The dimensions in the order in which they open; "" stands for what `order` does not name."""
        words = _words(space)
        phases = [word for word in self.order if word in words]
        return [*phases, ""] if set(words) - set(phases) else phases

    def _done(self, phases: list[str], word: str, progress: float) -> float:
        """How many phases ago the phase of a dimension began; below 0 when it has not."""
        place = phases.index(word if word in phases else "")
        return (progress - self.largest) / (1 - self.largest) * len(phases) - place

    def _teach(self, supernet: Supernet, images: torch.Tensor) -> torch.Tensor:
        """The teacher's probabilities `(n, classes)`; the teacher is copied when it is first needed."""
        if self._teacher is None:
            self._teacher = supernet.extract(supernet.space.largest()).requires_grad_(False).to(images.device)
            self._teacher.load_state_dict(self._weights, strict=False)
            self._weights = dict(self._teacher.named_parameters())
        with torch.no_grad():
            return self._teacher.train()(images).softmax(1)  # type: ignore[no-any-return]

    def state(self) -> dict[str, torch.Tensor]:
        """The teacher's weights, as its batch-norm uses the statistics of each batch, and which dimensions are sorted."""
        return self._weights | {_SORTED + word: torch.tensor(1) for word in self._sorted}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        self._sorted = [word for word in DIMENSIONS if _SORTED + word in state]
        self._teacher, self._weights = None, {name: tensor for name, tensor in state.items() if not name.startswith(_SORTED)}


def _words(space: SearchSpace) -> list[str]:
    """The dimension of every choice: the last word of its name."""
    return [choice.name.rpartition(".")[2] for choice in space.choices]
