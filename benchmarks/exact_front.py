"""The exact front of an Once-for-All sized space, two and three objectives, against brute force where that can be, and NSGA-II.

    python benchmarks/exact_front.py [--repeats 20]

The space: five stages of two to four blocks, each with three kernels and three expansions, 2.2e19 architectures. Costs of a block follow
from multiply-adds, bytes and a fixed share per call, with some noise; gains with falling returns in kernel, expansion and depth. One core.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import interleaved, save, spread, table

from hwnas.front import hypervolume, non_dominated
from hwnas.objectives import Objective
from hwnas.replay.drive import drive
from hwnas.search import Problem
from hwnas.search.additive import Additive
from hwnas.search.exact_front import exact_front
from hwnas.spaces import Choice, Part, SearchSpace

KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
WIDTHS, SIDES = (24, 40, 80, 112, 160), (56, 28, 14, 14, 7)
EVALUATIONS = 4000


class Chain(SearchSpace):
    """Stages of blocks with elastic kernel, expansion and depth."""

    name = "chain"

    def __init__(self, stages: int = 5) -> None:
        choices: list[Choice] = []
        parts: list[Part] = []
        self.gates: dict[int, tuple[int, int]] = {}
        for s in range(stages):
            depth = len(choices)
            choices.append(Choice(f"stage{s}.depth", DEPTHS))
            for b in range(max(DEPTHS)):
                own = (len(choices), len(choices) + 1)
                choices += [Choice(f"stage{s}.block{b}.kernel", KERNELS), Choice(f"stage{s}.block{b}.expansion", EXPANSIONS)]
                optional = b >= min(DEPTHS)
                parts.append(Part(f"stage{s}.block{b}", ((depth,) if optional else ()) + own))
                self.gates |= {choice: (depth, b - min(DEPTHS) + 1) for choice in own if optional}
        self.choices, self.parts = tuple(choices), tuple(parts)

    def active(self, archs: np.ndarray) -> np.ndarray:
        mask = np.ones(archs.shape, dtype=bool)
        for choice, (depth, least) in self.gates.items():
            mask[:, choice] = archs[:, depth] >= least
        return mask

    @property
    def size(self) -> int:
        return sum(9**d for d in DEPTHS) ** (len(self.choices) // 9)

    def network(self, arch: Any) -> Any:
        raise NotImplementedError

    supernet = spec = network


def objectives(space: Chain, seed: int = 0) -> list[Additive]:
    """Latency, error and memory traffic, all minimised, as tables per part."""
    rng = np.random.default_rng(seed)
    tables: list[list[np.ndarray]] = [[], [], []]
    for part in space.parts:
        stage, depth = int(part.name[5]), space.gates.get(part.choices[-1])
        kernel, expansion = np.meshgrid(KERNELS, EXPANSIONS, indexing="ij")
        hidden, pixels = WIDTHS[stage] * expansion, SIDES[stage] ** 2
        work = hidden * pixels * (2 * WIDTHS[stage] + kernel**2)
        bytes_moved = 4 * (hidden * pixels * 3 + hidden * (2 * WIDTHS[stage] + kernel**2))
        noise = rng.normal(1.0, 0.03, (3, 3, 3))
        latency = (work / 8e9 + bytes_moved / 1e10 + 2e-5) * 1e3 * noise[0]
        gain = -rng.uniform(0.5, 1.5) * (0.15 * np.log(kernel) + 0.35 * np.log(expansion) + 0.3) * noise[1]
        for number, own in enumerate((latency, gain, bytes_moved / 1e6 * noise[2])):
            full = own if depth is None else np.stack([own if d >= depth[1] else np.zeros((3, 3)) for d in range(len(DEPTHS))])
            tables[number].append(full.ravel())
    return [Additive(space, tuple(found)) for found in tables]


def agrees_with_brute_force() -> int:
    """Architectures of a one-stage space whose fronts, of two and three objectives, equal those over every architecture."""
    space = Chain(1)
    archs = np.unique(space.canonical(np.array(list(itertools.product(*map(range, space.cardinalities))))), axis=0)
    for m in (2, 3):
        chosen = objectives(space)[:m]
        values = np.stack([objective(archs) for objective in chosen], axis=1)
        truth = np.unique(values[non_dominated(values)].round(9), axis=0)
        np.testing.assert_allclose(np.unique(exact_front(space, chosen).values.round(9), axis=0), truth)
    return len(archs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    space = Chain()
    chosen = objectives(space)
    checked = agrees_with_brute_force()
    seconds = interleaved({f"exact, {m} objectives": lambda m=m: exact_front(space, chosen[:m]) for m in (2, 3)}, arguments.repeats)
    rows = []
    for m in (2, 3):
        front = exact_front(space, chosen[:m])
        span = np.ptp(front.values, axis=0)
        corner = front.values.max(axis=0) + 0.1 * span
        problem = Problem(space, tuple(Objective(f"o{i}", "", "min", False, o) for i, o in enumerate(chosen[:m])))
        clock = time.perf_counter()
        course = drive(problem, "nsga2", 0, EVALUATIONS, corner)
        timed = spread(seconds[f"exact, {m} objectives"])
        rows.append({
            "objectives": m, "median ms": 1e3 * timed["median"], "min ms": 1e3 * timed["min"], "points": len(front.values),
            "sums": front.operations, "gap, share of range": float((front.gap / span).max()),
            f"NSGA-II ms ({EVALUATIONS})": 1e3 * (time.perf_counter() - clock),
            "NSGA-II hypervolume / exact": float(course.hypervolume[-1]) / hypervolume(front.values, corner),
        })  # fmt: skip
    print(table(rows))
    print(f"{space.size:.3g} architectures; equal to brute force over {checked} architectures of one stage (wanted: <= 10 ms and <= 1 s)")
    save("exact_front", {"architectures": float(space.size), "checked": checked, "rows": rows})


if __name__ == "__main__":
    main()
