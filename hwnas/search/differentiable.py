"""Differentiable search: gradients through the super-network against the exact expectation of what architectures cost."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from device_profiles.errors import InputError
from hwnas.agents import draw, legal_values, uniform
from hwnas.objectives import Floats
from hwnas.search.additive import Additive
from hwnas.search.base import Optimiser, Problem
from hwnas.spaces.base import Archs

#: The least and the most that a factor e in cost weighs, in units of the loss.
LEAST, MOST = 0.003, 3.0
#: The share of draws that is uniform, so that neighbours of what the gradients arrived at are looked at too.
EXPLORE = 0.1
#: Weights tried per ask before random architectures take their place.
ROUNDS = 4


class Differentiable(Optimiser):
    """Trains a distribution over architectures by gradients, anew for every weight of the cost, and evaluates what it arrives at.

    The loss is the cross-entropy on validation images of architectures drawn by Gumbel's trick, with the weights of the super-network as
    they are, plus a weight times the logarithm of the expected cost (of several costs: the mean of their logarithms); see
    `hwnas.search.gumbel`. Every ask is one weight, spread ever more densely between `LEAST` and `MOST`, so that many give a front: its most
    likely architecture, then draws. Answers are not learned from: what is proposed depends on the weights of the super-network alone.

    Raises InputError unless one objective is the accuracy of a super-network whose choices can be mixed (`hwnas.supernet.mixed`) and all
    others are costs that are sums over the parts of the space.
    """

    description: ClassVar[str] = (
        "gradients through a MobileNet-like super-network against the exact expected cost; no other accuracy will do"
    )
    paper: ClassVar[str] = "Wu et al., FBNet, CVPR 2019, and Cai et al., ProxylessNAS, ICLR 2019"
    general: ClassVar[bool] = False

    def __init__(self, problem: Problem, rng: np.random.Generator, *, batch: int = 8, steps: int = 50) -> None:
        super().__init__(problem, rng)
        self.batch, self.steps = batch, steps
        self._loss = _loss(problem)
        self._costs = _costs(problem)
        self._weights = 0

    def ask(self, n: int) -> Archs:
        """What the next weight leads to; at first also the smallest and the largest architecture."""
        space = self.problem.space
        ends = np.concatenate([space.smallest(), space.largest()]) if self._weights == 0 else np.empty((0, len(space.choices)), np.int64)
        asked = self.unseen(ends, n)
        for _ in range(ROUNDS):
            self._weights += 1
            weight = LEAST * (MOST / LEAST) ** halves(self._weights)
            asked = np.concatenate([asked, self.unseen(self._arrived(weight, 4 * n), n - len(asked))])
            if len(asked):
                return asked
        return self.fresh(n)

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Nothing is learned from answers."""

    def _arrived(self, weight: float, draws: int) -> Archs:
        """The most likely architecture under a weight of the cost, then draws, `(1 + draws, n_choices)`."""
        from hwnas.search.gumbel import descend

        found = descend(self._loss, self._costs, weight, self.steps, self.rng)
        legal = legal_values(self.problem.space.cardinalities)
        policy = np.zeros(legal.shape)
        policy[legal] = np.concatenate(found)
        policy = (1 - EXPLORE) * policy + EXPLORE * uniform(legal)
        drawn = draw(np.repeat(policy[None], draws, axis=0), self.problem.space.cardinalities, self.rng)
        return np.concatenate([policy.argmax(axis=1)[None], drawn])


def halves(number: int) -> float:
    """The numbers 1, 2, 3, ... spread over 0..1: 1/2, 1/4, 3/4, 1/8, 5/8, ... (van der Corput, 1935)."""
    return sum(0.5 ** (i + 1) for i, digit in enumerate(reversed(f"{number:b}")) if digit == "1")


def _loss(problem: Problem) -> Any:
    """What is differentiated: of the one objective that can be."""
    sources = [objective.source for objective in problem.objectives if hasattr(objective.source, "mixed_loss")]
    if len(sources) != 1:
        raise InputError("differentiable takes one accuracy with the weights of a super-network, hwnas.accuracy(supernet), and costs")
    return sources[0].mixed_loss()


def _costs(problem: Problem) -> list[Additive]:
    """The costs, which must be sums."""
    found = []
    for objective in problem.objectives:
        if hasattr(objective.source, "mixed_loss"):
            continue
        additive = None if objective.direction == "max" else Additive.of(objective, problem.space)
        if additive is None:
            raise InputError(
                f"differentiable takes costs that are sums over the parts of {problem.space.name}, and {objective.name} is not"
            )
        least = additive.constant + sum(float(table.min()) for table in additive.tables)
        if least <= 0:
            raise InputError(f"differentiable takes costs above 0, and the parts of {objective.name} add up to {least:g} at least")
        found.append(additive)
    if not found:
        raise InputError("differentiable needs a cost beside the accuracy, such as device.latency_ms")
    return found
