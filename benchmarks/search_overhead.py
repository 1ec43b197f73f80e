"""Time of the searchers themselves per 1,000 evaluations, while 250, 500, 1,000 and 2,000 evaluations are being done.

    python benchmarks/search_overhead.py [--algorithms nsga2,surrogate] [--evaluations 2000] [--repeats 3]

On the Once-for-All sized space of exact_front.py: latency is cheap and additive, accuracy expensive and not, but looked up in no time, and
not counted. The time of an algorithm includes what it asks cheap objectives for. Least of the repeats, which are interleaved; one core. The
time for as many evaluations must not grow with the evaluations done before: the last column is the last stretch against the second.
"""

from __future__ import annotations

import argparse
import os
from itertools import pairwise

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import save, table
from exact_front import Chain, objectives

from hwnas.objectives import Objective
from hwnas.replay.drive import drive
from hwnas.search import ALGORITHMS, Problem


def problem() -> Problem:
    """Latency by tables per part, and an accuracy that falls off where the network is uneven."""
    space = Chain()
    latency, loss, _ = objectives(space)
    worst, best = (float(loss(archs)[0]) for archs in (space.smallest(), space.largest()))

    def accuracy(archs: np.ndarray) -> np.ndarray:
        share = (loss(archs) - worst) / (best - worst)
        return 0.5 + 0.3 * share - 0.02 * archs.std(axis=1)

    return Problem(
        space,
        (
            Objective("accuracy", "", "max", True, accuracy, (0.0, 1.0)),
            Objective("latency_ms", "ms", "min", False, latency, source=latency),
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--algorithms", default=",".join(sorted(name for name, kind in ALGORITHMS.items() if kind.general)))
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    searched = problem()
    stages = [0, *(arguments.evaluations // share for share in (8, 4, 2, 1))]
    corner = np.array([-0.4, float(searched.objectives[1].evaluate(searched.space.largest()).values[0])])
    names = arguments.algorithms.split(",")
    seconds: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for _ in range(arguments.repeats):
        for name in names:
            course = drive(searched, name, 0, arguments.evaluations, corner)
            seconds[name].append(np.concatenate([[0.0], course.seconds])[np.minimum(stages, len(course.seconds))])
    rows = []
    for name in names:
        stretches = np.min([np.diff(found) for found in seconds[name]], axis=0) / np.diff(stages) * 1e3
        columns = {f"{a}-{b}": float(stretch) for (a, b), stretch in zip(pairwise(stages), stretches, strict=True)}
        rows.append({"algorithm": name, **columns, "last / second": float(stretches[-1] / stretches[1])})
    print("seconds per 1,000 evaluations")
    print(table(rows))
    save("search_overhead", {"evaluations": arguments.evaluations, "repeats": arguments.repeats, "rows": rows})


if __name__ == "__main__":
    main()
