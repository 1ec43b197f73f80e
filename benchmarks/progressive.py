"""Networks evaluated until an accuracy is reached: progressive search, evolution and local search against random search.

    HWNAS_DATA=... python benchmarks/progressive.py [--seeds 10] [--dataset cifar10]

On NAS-Bench-201, accuracy alone. The accuracies are those that progressive search has reached after 50, 100 and 200 networks (medians over
the seeds); beside each the number of networks after which the others are as good, the median and the middle half of the seeds. Every
different network counts. Nothing is timed.
"""

from __future__ import annotations

import argparse
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from pathlib import Path
from typing import Any

import numpy as np
from common import save, table

from hwnas.replay.drive import drive
from hwnas.search import Problem
from hwnas.search.tables import TableSpace, read_table

DATA = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[2] / "shared" / "data"))
STAGES, LIMIT = (50, 100, 200), 15_625
OTHERS = ("local", "evolution", "random")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=DATA / "nb201" / "nb201.npz")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    space = TableSpace(read_table(arguments.table))
    problem = Problem(space, (space.objective("accuracy", arguments.dataset),))
    corner = np.zeros(1)  # one objective: the hypervolume is the best accuracy so far
    best = np.array([drive(problem, "progressive", seed, max(STAGES), corner).hypervolume for seed in range(arguments.seeds)])
    rows = []
    for stage in STAGES:
        goal = float(np.median(best[:, stage - 1]))
        needed = [next((i + 1 for i, value in enumerate(course) if value >= goal), max(STAGES)) for course in best]
        row = {"networks": stage, "accuracy %": 100 * goal, **counted("progressive", needed)}
        for other in OTHERS:
            counts = [min(drive(problem, other, s, LIMIT, corner, until=goal).reaches(goal), LIMIT) for s in range(arguments.seeds)]
            row |= counted(other, counts) | {f"{other} / progressive": float(np.median(counts) / np.median(needed))}
        rows.append(row)
    print(table(rows))
    save("progressive", {"dataset": arguments.dataset, "seeds": arguments.seeds, "rows": rows})


def counted(name: str, counts: list[float]) -> dict[str, Any]:
    """The median with the middle half."""
    low, middle, high = np.quantile(counts, [0.25, 0.5, 0.75])
    return {name: float(middle), f"{name} 25-75 %": f"{low:.0f}-{high:.0f}"}


if __name__ == "__main__":
    main()
