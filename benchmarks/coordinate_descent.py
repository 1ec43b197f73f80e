"""Evaluations and accuracy at a latency target: multi-layer coordinate descent against single-layer, with random search beside.

    python benchmarks/coordinate_descent.py [--seeds 10] [--targets 0.6,0.4,0.2]

On the Once-for-All sized space of exact_front.py, with latency and accuracy by tables per part, so that the best accuracy at every target
is known from the exact front. A target is a share of the way from the cheapest to the costliest architecture. Each descent goes on
until what it keeps meets the target; its most accurate architecture that meets it counts. Random search draws only what meets the
target, as often as the multi-layer descent evaluates. Medians over the seeds, with the middle half; accuracy as the points missing to the
best. Nothing is timed.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import save, table
from exact_front import Chain, objectives

from hwnas.objectives import Constraint, Objective
from hwnas.search import Problem
from hwnas.search.algorithms import make
from hwnas.search.coordinate_descent import CoordinateDescent
from hwnas.search.exact_front import exact_front

#: Steps as a share of the range of the latency: the fewer evaluations, the larger.
STEPS = (0.1, 0.05, 0.025)
LAYERS = {"multi": 4, "single": 1}
LIMIT = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--targets", default="0.6,0.4,0.2")
    arguments = parser.parse_args()
    space = Chain()
    latency, loss, _ = objectives(space)
    span = [float(loss(archs)[0]) for archs in (space.smallest(), space.largest())]
    accuracy = Objective("accuracy", "", "max", True, lambda archs: 0.6 + 0.2 * (loss(archs) - span[0]) / (span[1] - span[0]), (0.0, 1.0))
    problem = Problem(space, (accuracy, Objective("latency_ms", "ms", "min", False, latency)))
    low, high = (float(latency(archs)[0]) for archs in (space.smallest(), space.largest()))
    front = exact_front(space, [latency, loss])
    rows: list[dict[str, Any]] = []
    for share in map(float, arguments.targets.split(",")):
        target = low + share * (high - low)
        best = float(accuracy.evaluate(front.archs[front.values[:, 0] <= target]).values.max())
        for step in STEPS:
            row: dict[str, Any] = {"target": share, "target ms": target, "best accuracy %": 100 * best, "step": step}
            for name, layers in LAYERS.items():
                found = [descend(problem, target, seed, {"layers": layers, "step": step}) for seed in range(arguments.seeds)]
                row |= {f"{name}: evaluations": float(np.median([n for n, _ in found])), **missing(name, best, found)}
            often = int(row["multi: evaluations"])
            drawn = [(often, draw(problem, target, seed, often)) for seed in range(arguments.seeds)]
            rows.append(row | missing("random", best, drawn))
    print(table(rows))
    save("coordinate_descent", {"seeds": arguments.seeds, "layers": LAYERS, "rows": rows})


def descend(problem: Problem, target: float, seed: int, options: dict[str, Any]) -> tuple[int, float]:
    """Evaluations until what is kept meets the target, and the best accuracy evaluated that does."""
    optimiser = make("coordinate", problem, seed, options)
    assert isinstance(optimiser, CoordinateDescent)
    count, best = 0, 0.0
    while count < LIMIT:
        archs = optimiser.ask(optimiser.batch)
        if optimiser.trace and cost(problem, optimiser.trace[-1])[0] <= target:
            return count, best
        accuracy = problem.objectives[0].evaluate(archs).values
        optimiser.tell(archs, np.column_stack([-accuracy, cost(problem, archs)]), np.zeros(len(archs)))
        count += len(archs)
        best = max([best, *accuracy[cost(problem, archs) <= target]])
    return count, best


def draw(problem: Problem, target: float, seed: int, often: int) -> float:
    """The best accuracy of as many random architectures that meet the target."""
    bounded = Problem(problem.space, problem.objectives, (Constraint("latency_ms", "<=", target),))
    return float(problem.objectives[0].evaluate(make("random", bounded, seed, {}).ask(often)).values.max())


def cost(problem: Problem, archs: np.ndarray) -> np.ndarray:
    return problem.objectives[1].evaluate(archs).values


def missing(name: str, best: float, found: list[tuple[int, float]]) -> dict[str, Any]:
    """Points of accuracy to the best, the median with the middle half."""
    low, middle, high = np.quantile([100 * (best - accuracy) for _, accuracy in found], [0.25, 0.5, 0.75])
    return {f"{name}: missing": float(middle), f"{name}: 25-75 %": f"{low:.2f}-{high:.2f}"}


if __name__ == "__main__":
    main()
