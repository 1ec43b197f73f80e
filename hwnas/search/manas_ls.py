"""Multi-agent search with linear credit: losses are explained as sums over the values drawn, and agents draw by rank."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwnas.agents import LinearCredit
from hwnas.objectives import Floats
from hwnas.search.base import Problem
from hwnas.search.manas import Agents
from hwnas.spaces.base import Archs


class ManasLs(Agents):
    """The losses of all rounds are regressed on their values by least squares; an agent draws its k-th best value in proportion to 1 / k.

    The regression is kept per objective and weighted afterwards; the rest of what several objectives mean stands at `Agents`.
    """

    description: ClassVar[str] = "one agent per choice, credit by least squares, draws by rank: nothing to tune"
    paper: ClassVar[str] = "Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, 2019, equation 5 and the Zipf policy"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, batch: int = 8) -> None:
        super().__init__(problem, rng, batch=batch)
        self._credit = LinearCredit()

    def policies(self, weights: Floats) -> Floats:
        """Zipf, over the weighted sums of coefficients."""
        return self._credit.policy(self.legal, weights)

    def learn(self, archs: Archs, active: npt.NDArray[np.bool_], chance: Floats, losses: Floats) -> None:
        """Add the rounds to the least-squares problem."""
        self._credit.add(self.legal, archs, active, losses)
