"""Multi-agent search with linear credit and a Zipf policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from hwnas.agents import LinearCredit, legal_values
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.strategies.manas import Agents, Floats


@dataclass
class ManasLs(Agents):
    """Multi-agent search that explains losses as a sum over the drawn values and draws by rank.

    Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, 2019 (arXiv 1909.01051), equation 5 and the Zipf policy: the loss of a
    path is regressed on its values by least squares over all steps; an agent draws its k-th best value in proportion to 1 / k. There is
    nothing to tune. A value that was never drawn has coefficient 0, the mean.
    """

    name: ClassVar[str] = "manas_ls"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._credit = LinearCredit()

    def policy(self, space: SearchSpace) -> Floats:
        """Zipf: probability 1 / (rank x harmonic number), rank 1 for the smallest coefficient."""
        policy: Floats = self._credit.policy(legal_values(space.cardinalities), np.ones((1, 1)))[0]
        return policy

    def learn(self, space: SearchSpace, drawn: Archs, active: npt.NDArray[np.bool_], loss: float) -> None:
        """Adds one row to the least-squares problem."""
        self._credit.add(legal_values(space.cardinalities), drawn[None], active[None], np.array([[loss]]))

    def state(self) -> dict[str, torch.Tensor]:
        """Also the normal equations."""
        if self._credit.gram is None or self._credit.moment is None:
            return super().state()
        return super().state() | {"gram": torch.from_numpy(self._credit.gram), "moment": torch.from_numpy(self._credit.moment)}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        super().load_state(state)
        if "gram" in state:
            self._credit = LinearCredit(state["gram"].numpy().copy(), state["moment"].numpy().copy())
