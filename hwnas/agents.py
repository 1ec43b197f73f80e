"""One agent per choice: how agents share the credit for a loss, and what they draw next. Searching and training use the same ones.

Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, 2019 (arXiv 1909.01051), equations 5 and 6 and the policies beside them.
Arrays over all values of all choices have shape `(..., n_choices, longest choice)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]

#: Weight of the wish for small coefficients. The design has fewer ranks than columns; ranks within an agent do not depend on it.
RIDGE = 1e-3


def legal_values(cardinalities: Index) -> Mask:
    """Which values every choice has, `(n_choices, longest choice)`, from the number of values of each."""
    legal: Mask = np.arange(cardinalities.max())[None, :] < cardinalities[:, None]
    return legal


def uniform(legal: Mask) -> Floats:
    """Every legal value as likely."""
    result: Floats = legal / legal.sum(axis=-1, keepdims=True)
    return result


def boltzmann(losses: Floats, legal: Mask, explore: float = 0.0) -> Floats:
    """The softmax of minus the losses, `(..., n_choices, longest)`; a share `explore` of the probability is uniform."""
    scores = np.where(legal, -losses, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    softmax = weights / weights.sum(axis=-1, keepdims=True)
    result: Floats = (1 - explore) * softmax + explore * uniform(legal)
    return result


def zipf(coefficients: Floats, legal: Mask) -> Floats:
    """Probability 1 / (rank x harmonic number), rank 1 for the smallest coefficient of an agent."""
    ranks = np.where(legal, coefficients, np.inf).argsort(axis=-1, kind="stable").argsort(axis=-1) + 1
    shares = legal / ranks
    result: Floats = shares / shares.sum(axis=-1, keepdims=True)
    return result


def draw(policy: Floats, cardinalities: Index, rng: np.random.Generator) -> Index:
    """One value per agent, `(..., n_choices)`."""
    draws = rng.random(policy.shape[:-1])
    values: Index = np.minimum((policy.cumsum(axis=-1) <= draws[..., None]).sum(axis=-1), cardinalities - 1)
    return values


def chances(policy: Floats, archs: Index) -> Floats:
    """How likely the values of `(..., n_choices)` were, the same shape."""
    return np.take_along_axis(policy, archs[..., None], axis=-1)[..., 0]


def add_by_importance(sums: Floats, archs: Index, active: Mask, chance: Floats, losses: Floats) -> None:
    """Adds `(n, m)` losses to the `(m, n_choices, longest)` sums of the values drawn, each divided by how likely that value was.

    `archs`, `active` and `chance` have shape `(n, n_choices)`; an agent whose choice did nothing learns nothing.
    """
    rows, agents = np.nonzero(active)
    for total, loss in zip(sums, losses.T, strict=True):
        np.add.at(total, (agents, archs[rows, agents]), loss[rows] / chance[rows, agents])


@dataclass
class LinearCredit:
    """Least squares of the losses on the values drawn, over all rounds, kept as normal equations.

    `gram` has shape `(values, values)` and `moment` `(values, m)`, over the legal values of all choices; None before the first round.
    A value that was never drawn has coefficient 0: losses are to be centred.
    """

    gram: Floats | None = None
    moment: Floats | None = None
    _solution: Floats | None = field(default=None, repr=False)

    def add(self, legal: Mask, archs: Index, active: Mask, losses: Floats) -> None:
        """Adds a row per architecture: archs and active `(n, n_choices)`, losses `(n, m)`."""
        drawn = np.zeros((len(archs), *legal.shape))
        rows, agents = np.nonzero(active)
        drawn[rows, agents, archs[rows, agents]] = 1.0
        design = drawn[:, legal]
        gram, moment = design.T @ design, design.T @ losses
        self.gram = gram if self.gram is None else self.gram + gram
        self.moment = moment if self.moment is None else self.moment + moment
        self._solution = None

    def policy(self, legal: Mask, weights: Floats) -> Floats:
        """Zipf over the weighted sums of the coefficients, `(n, n_choices, longest)`; uniform before the first round.

        `weights` has shape `(n, m)`: how much each of the m losses counts, per architecture to draw.
        """
        if self.gram is None or self.moment is None:
            return np.repeat(uniform(legal)[None], len(weights), axis=0)
        if self._solution is None:
            self._solution = np.asarray(np.linalg.solve(self.gram + RIDGE * np.eye(len(self.gram)), self.moment), dtype=np.float64)
        coefficients = np.zeros((len(weights), *legal.shape))
        coefficients[:, legal] = weights @ self._solution.T
        return zipf(coefficients, legal)
