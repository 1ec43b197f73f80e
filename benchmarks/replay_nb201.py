"""Evaluations until 99 % of the true front's hypervolume, on NAS-Bench-201 with the latency of each recorded device.

    HWNAS_DATA=... python benchmarks/replay_nb201.py [--seeds 10] [--devices pixel3,1080ti_1] [--processes 2]

CIFAR-10 error and latency; reference 30 % error and the 99.9th percentile of the latency; every different architecture counts as one
evaluation, latency comes from the table for all of them. Beside the surrogate-assisted search: NSGA-II as pymoo ships it (population 40),
hwnas's own `nsga2` of that population, and random search, each with the same seeds. Nothing is timed.
"""

from __future__ import annotations

import argparse
import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import save, table

from hwnas.front import Archive, hypervolume
from hwnas.replay.drive import drive
from hwnas.replay.goal import true_volume
from hwnas.search import Problem
from hwnas.search.tables import Table, TableSpace, read_table

DATA = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[2] / "shared" / "data"))
SHARE, ACCURACY, PERCENTILE, LIMIT = 0.99, 0.7, 99.9, 15_625
METHODS = ("surrogate", "nsga2", "pymoo", "random")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=DATA / "nb201" / "nb201.npz")
    parser.add_argument("--devices", help="comma-separated; all of the table when not given")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    devices = arguments.devices.split(",") if arguments.devices else list(recorded(arguments.table).columns["latency_ms"])
    methods = arguments.methods.split(",")
    jobs = [(arguments.table, device, method, seed) for device in devices for method in methods for seed in range(arguments.seeds)]
    found: dict[tuple[str, str, int], int] = {}
    with ProcessPoolExecutor(arguments.processes) as pool:
        for job, count in zip(jobs, pool.map(evaluations, *zip(*jobs, strict=True)), strict=True):
            found[job[1:]] = count
            print(*job[1:], count, file=sys.stderr, flush=True)
    rows = [row(device, methods, {m: [found[device, m, s] for s in range(arguments.seeds)] for m in methods}) for device in devices]
    print(table(rows))
    save("replay_nb201", {"share": SHARE, "seeds": arguments.seeds, "rows": rows, "evaluations": [[*key, n] for key, n in found.items()]})


def row(device: str, methods: list[str], counts: dict[str, list[int]]) -> dict[str, Any]:
    """Medians with the range of the middle half, and how many times fewer the first method needs."""
    medians = {method: float(np.median(counts[method])) for method in methods}
    result: dict[str, Any] = {"device": device}
    for method in methods:
        low, high = np.quantile(counts[method], [0.25, 0.75])
        result |= {method: medians[method], f"{method} 25-75 %": f"{low:.0f}-{high:.0f}"}
    return result | {f"{other} / {methods[0]}": medians[other] / medians[methods[0]] for other in methods[1:]}


@cache
def recorded(path: Path) -> Table:
    return read_table(path)


@cache
def setting(path: Path, device: str) -> tuple[Problem, np.ndarray, float]:
    """The problem, its reference in minimisation form, and the hypervolume to reach."""
    space = TableSpace(recorded(path))
    worst = float(np.percentile(space.table.column("latency_ms", device), PERCENTILE))
    problem = Problem(space, (space.objective("accuracy", "cifar10"), space.objective("latency_ms", device)), (), (ACCURACY, worst))
    corner = np.array([-ACCURACY, worst])
    return problem, corner, SHARE * true_volume(problem, space, corner)


def evaluations(path: Path, device: str, method: str, seed: int) -> int:
    """Different architectures evaluated until the goal; the whole table when it is not reached."""
    problem, corner, goal = setting(path, device)
    if method == "pymoo":
        return plain_pymoo(problem, corner, goal, seed)
    options = {"population": 40} if method == "nsga2" else {}
    return int(min(drive(problem, method, seed, LIMIT, corner, options, until=goal).reaches(goal), LIMIT))


def plain_pymoo(problem: Problem, corner: np.ndarray, goal: float, seed: int) -> int:
    """pymoo's NSGA-II with its operators for whole numbers, as its documentation sets it up."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem as PymooProblem
    from pymoo.core.termination import NoTermination
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling

    limits = problem.space.cardinalities
    described = PymooProblem(n_var=len(limits), n_obj=2, xl=0, xu=limits - 1, vtype=int)
    algorithm = NSGA2(
        pop_size=40, sampling=IntegerRandomSampling(), crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()), eliminate_duplicates=True,
    )  # fmt: skip
    algorithm.setup(described, termination=NoTermination(), seed=seed, verbose=False)
    archive, seen, generations = Archive(2), set[bytes](), 0
    while len(seen) < LIMIT and generations < 2000:
        generations += 1
        infills = algorithm.ask()
        archs = infills.get("X").astype(np.int64)
        values = np.column_stack([o.sign * o.evaluate(archs).values for o in problem.objectives])
        for arch, value in zip(archs, values, strict=True):
            if arch.tobytes() in seen:
                continue
            seen.add(arch.tobytes())
            if archive.add(value) and hypervolume(archive.values, corner) >= goal:
                return len(seen)
        infills.set("F", values)
        algorithm.tell(infills=infills)
    return LIMIT


if __name__ == "__main__":
    main()
