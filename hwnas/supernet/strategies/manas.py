"""Multi-agent search: one agent per choice learns which of its values to train."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from device_profiles.errors import InputError
from hwnas.agents import add_by_importance, boltzmann, chances, draw, legal_values
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.processes import mean
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, supervised

Floats = npt.NDArray[np.float64]

#: Share of the latest loss in the running mean that losses are compared with.
_LATEST = 0.05


@dataclass
class Agents(Strategy):
    """What both multi-agent strategies do: draw a value per agent, train that path alone, judge it on held-out images, learn from that.

    The path drawn in one step is judged at the beginning of the next, when the weights have moved. A path's loss is turned into
    1 - exp(-loss), which lies within 0..1, and compared with the running mean of these, because the losses of all paths fall while the
    weights learn. An agent whose choice does nothing for a path (a block beyond the depth) learns nothing from it.
    """

    held_out: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.held_out <= 0.5:
            raise InputError(
                f"{self.name}: held_out, the share of the training images kept for judging, must be in 0..0.5, got {self.held_out}"
            )
        self._pending: Archs | None = None
        self._baseline = math.nan

    @abstractmethod
    def policy(self, space: SearchSpace) -> Floats:
        """The probability of every value of every choice, `(n_choices, longest choice)`; 0 where there is no such value."""

    @abstractmethod
    def learn(self, space: SearchSpace, drawn: Archs, active: npt.NDArray[np.bool_], loss: float) -> None:
        """Updates the agents with the centred loss of the path `drawn` `(n_choices,)`; `active` are the choices that mattered in it."""

    def held_out_share(self) -> float:
        """Half of the training images judge, as in the paper, unless told otherwise."""
        return self.held_out

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass of one path, after the path before has been judged."""
        space = supernet.space
        if self._pending is not None:
            self._judge(supernet, self._pending, batch)
        policy = self.policy(space)
        self._pending = draw(policy, space.cardinalities, batch.rng)
        supernet.activate(self._pending)
        return [supervised(supernet, batch)[0]]

    def recommend(self, space: SearchSpace) -> Architecture:
        """The most probable value of every agent, as a canonical architecture."""
        return tuple(space.canonical(self.policy(space).argmax(axis=1))[0].tolist())

    def _judge(self, supernet: Supernet, drawn: Archs, batch: Batch) -> None:
        images, labels = batch.held_out or (batch.images, batch.labels)
        supernet.activate(drawn)
        with torch.no_grad():
            loss = mean(F.cross_entropy(supernet(images), labels).item(), len(labels))
        if not math.isfinite(loss):
            return  # the training loss of this step will tell
        loss = 1 - math.exp(-loss)
        self._baseline = loss if math.isnan(self._baseline) else self._baseline
        self.learn(supernet.space, drawn, supernet.space.active(drawn[None])[0], loss - self._baseline)
        self._baseline += _LATEST * (loss - self._baseline)

    def state(self) -> dict[str, torch.Tensor]:
        """The path that waits to be judged, and the running mean."""
        if self._pending is None:
            return {}
        return {"pending": torch.from_numpy(self._pending), "baseline": torch.tensor(self._baseline, dtype=torch.float64)}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        if "pending" in state:
            self._pending, self._baseline = state["pending"].numpy().copy(), float(state["baseline"])


@dataclass
class Manas(Agents):
    """Multi-agent search with the Boltzmann policy.

    Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, 2019 (arXiv 1909.01051), equation 6: every agent adds up its
    importance-weighted losses and draws from their softmax. `temperature` is how strongly losses count; as they are losses, it multiplies
    them with a minus. A share `explore` of the draws is uniform, as in EXP3, so that no weight by importance grows without bound.
    """

    name: ClassVar[str] = "manas"

    temperature: float = 0.05
    explore: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0 or not 0 < self.explore <= 1:
            raise InputError(f"manas needs temperature > 0 and 0 < explore <= 1, got {self.temperature} and {self.explore}")
        self._losses: Floats | None = None

    def policy(self, space: SearchSpace) -> Floats:
        """Boltzmann: softmax of minus the losses, mixed with the uniform distribution."""
        legal = legal_values(space.cardinalities)
        losses = np.zeros(legal.shape) if self._losses is None else self._losses
        return boltzmann(self.temperature * losses, legal, self.explore)

    def learn(self, space: SearchSpace, drawn: Archs, active: npt.NDArray[np.bool_], loss: float) -> None:
        """Adds the loss, divided by the probability of having drawn it."""
        policy = self.policy(space)
        self._losses = np.zeros(policy.shape) if self._losses is None else self._losses
        add_by_importance(self._losses[None], drawn[None], active[None], chances(policy, drawn)[None], np.array([[loss]]))

    def state(self) -> dict[str, torch.Tensor]:
        """Also the sums of losses."""
        return super().state() | ({} if self._losses is None else {"losses": torch.from_numpy(self._losses)})

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        super().load_state(state)
        if "losses" in state:
            self._losses = state["losses"].numpy().copy()
