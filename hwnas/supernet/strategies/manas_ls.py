"""Multi-agent search with linear credit and a Zipf policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.strategies.manas import Agents, Floats, legal_values

#: Weight of the wish for small coefficients. The design has fewer ranks than columns; ranks within an agent do not depend on it.
RIDGE = 1e-3


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
        self._gram: Floats | None = None
        self._moment: Floats | None = None
        self._coefficients: Floats | None = None

    def policy(self, space: SearchSpace) -> Floats:
        """Zipf: probability 1 / (rank x harmonic number), rank 1 for the smallest coefficient."""
        legal = legal_values(space)
        if self._coefficients is None:
            self._coefficients = self._solve(legal)
        ranks = np.where(legal, self._coefficients, np.inf).argsort(axis=1, kind="stable").argsort(axis=1) + 1
        shares = legal / ranks
        uniform = legal / legal.sum(axis=1, keepdims=True)
        result: Floats = uniform if self._gram is None else shares / shares.sum(axis=1, keepdims=True)
        return result

    def learn(self, space: SearchSpace, drawn: Archs, active: npt.NDArray[np.bool_], loss: float) -> None:
        """Adds one row to the least-squares problem."""
        legal = legal_values(space)
        row = np.zeros(legal.shape)
        row[np.flatnonzero(active), drawn[active]] = 1
        values = row[legal]
        if self._gram is None or self._moment is None:
            self._gram, self._moment = np.zeros((len(values), len(values))), np.zeros(len(values))
        self._gram += np.outer(values, values)
        self._moment += loss * values
        self._coefficients = None

    def _solve(self, legal: npt.NDArray[np.bool_]) -> Floats:
        result = np.zeros(legal.shape)
        if self._gram is not None and self._moment is not None:
            result[legal] = np.linalg.solve(self._gram + RIDGE * np.eye(len(self._gram)), self._moment)
        return result

    def state(self) -> dict[str, torch.Tensor]:
        """Also the normal equations."""
        if self._gram is None or self._moment is None:
            return super().state()
        return super().state() | {"gram": torch.from_numpy(self._gram), "moment": torch.from_numpy(self._moment)}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        super().load_state(state)
        if "gram" in state:
            self._gram, self._moment, self._coefficients = state["gram"].numpy().copy(), state["moment"].numpy().copy(), None
