"""A distribution over architectures that gradients move: every choice has a softmax of its own, drawn from by Gumbel's trick.

The loss of what is drawn, plus a price on what the distribution costs: Wu et al., FBNet, CVPR 2019, section 3 (Gumbel softmax, and
the logarithm of the latency in the loss); Cai et al., ProxylessNAS, ICLR 2019, section 3.3 (the expected latency is a sum over a table
times probabilities). FBNet multiplies the two terms, ProxylessNAS adds the expectation itself; here its logarithm is added, so that one
weight means the same on a fast and on a slow device. There are local optima: near the weight at which the best architecture changes, it
depends on the seed which one is arrived at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from hwnas.objectives import Floats
from hwnas.search.additive import Additive

#: Temperatures of the softmax at the first and the last step, and the step size of Adam.
HOT, COLD, RATE = 2.0, 0.2, 0.1


class Loss(Protocol):
    """What an architecture that is drawn costs in accuracy."""

    def __call__(self, shares: Sequence[torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
        """A loss; `shares` hold, for every choice, a number per value that is differentiated; `rng` draws images."""
        ...


def descend(loss: Loss, costs: Sequence[Additive], weight: float, steps: int, rng: np.random.Generator) -> list[Floats]:
    """The probabilities of the values of every choice after so many steps down `loss + weight * mean of log E[cost]`.

    The expectation is exact (`expected`), the loss is that of one architecture drawn per step. The costs, at least one, are positive.
    """
    limits = costs[0].space.cardinalities.tolist()
    scores = [torch.zeros(limit, dtype=torch.float64, requires_grad=True) for limit in limits]
    optimiser = torch.optim.Adam(scores, lr=RATE)
    for step in range(steps):
        temperature = HOT * (COLD / HOT) ** (step / max(steps - 1, 1))
        price = torch.stack([expected(cost, [score.softmax(0) for score in scores]).log() for cost in costs]).mean()
        total = loss([straight_through(score, temperature, rng) for score in scores], rng) + weight * price
        # Of the scores alone: the weights of a super-network stay as they are, and nothing is computed for them.
        gradients = torch.autograd.grad(total, scores, allow_unused=True)
        for score, gradient in zip(scores, gradients, strict=True):
            score.grad = torch.zeros_like(score) if gradient is None else gradient
        optimiser.step()
    return [np.asarray(score.detach().softmax(0).numpy()) for score in scores]


def straight_through(scores: torch.Tensor, temperature: float, rng: np.random.Generator) -> torch.Tensor:
    """One value drawn from the softmax of `scores` `(k,)`, as ones and zeros whose derivative is that of the softened draw.

    Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017, section 2.2 (straight-through Gumbel-softmax).
    """
    noisy = scores + torch.from_numpy(rng.gumbel(size=len(scores)))
    soft = (noisy / temperature).softmax(0)
    hard = torch.zeros_like(soft)
    hard[int(noisy.argmax())] = 1.0
    return hard + (soft - soft.detach())


def expected(cost: Additive, chances: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of an additive cost where every choice is drawn by its own probabilities: exact, for the tables are summed part by part."""
    space = cost.space
    limits = space.cardinalities.tolist()
    total = torch.tensor(cost.constant, dtype=torch.float64)
    for part, table in zip(space.parts, cost.tables, strict=True):
        value = torch.from_numpy(table).reshape([limits[choice] for choice in part.choices])
        for choice in reversed(part.choices):  # the last choice changes fastest, and is summed over first
            value = value @ chances[choice]
        total = total + value
    return total
