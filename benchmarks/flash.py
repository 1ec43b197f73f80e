"""FLASH's hierarchical SHGO on more than 63 billion networks, against plain SHGO and random search with as many evaluations.

    python benchmarks/flash.py [--seeds 10] [--repeats 20] [--samples 16]

Minimised: latency x energy x area / NN-Degree on in-memory computing tiles (`CrossbarTiles`), with bounds on all four at the medians of
random networks. An evaluation is a different network; every method stops after as many as hierarchical SHGO took with that seed. The best
known product comes from descents over one choice at a time from 40 starts, with no limit. Pricing the space is done once, before, and timed
apart; training the 25 networks of an accuracy predictor is not part of this: NN-Degree is used as it is. One core.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import interleaved, save, spread, table
from counting import instructions

from hwnas import spaces
from hwnas.accuracy import NNDegree
from hwnas.objectives import Floats, as_constraints, as_objectives
from hwnas.search import Problem
from hwnas.search.estimate import estimate
from hwnas.search.hierarchy import hierarchical
from hwnas.search.looked import Looked
from hwnas.search.neighbourhood import one_choice_away
from hwnas.search.product import Product
from hwnas.spaces import SearchSpace
from hwnas.spaces.base import Archs
from predictors.accelerators import CrossbarTiles

STARTS, SCALE = 40, 500


class Enough(Exception):
    """A method has spent its evaluations."""


class Study:
    """The problem, its product, and what each method makes of a number of evaluations."""

    def __init__(self, space: SearchSpace) -> None:
        tiles = CrossbarTiles()
        objectives = as_objectives([NNDegree(space), tiles.latency_ms, tiles.energy_mj, tiles.area_mm2], space)
        self.problem = Problem(space, objectives)
        drawn = space.sample(SCALE, np.random.default_rng(0))
        middle = np.median(self.natural(drawn), axis=0)
        texts = [f"{o.name} {'<=' if o.direction == 'min' else '>='} {m}" for o, m in zip(objectives, middle, strict=True)]
        self.problem = Problem(space, objectives, as_constraints(texts, objectives))
        self.product = Product.of(self.problem, self.natural(drawn))

    def natural(self, archs: Archs) -> Floats:
        """Every objective, `(k, 4)`."""
        return np.column_stack([estimate(objective, archs)[0].values for objective in self.problem.objectives])

    def look(self) -> Looked:
        """The product as a function that counts."""
        return Looked(self.problem, self.natural, self.product)

    def hierarchical(self, look: Any, seed: int, samples: int) -> None:
        hierarchical(self.problem.space, look, samples, np.random.default_rng(seed))

    def plain(self, look: Any, seed: int, samples: int) -> None:
        """scipy's shgo as it comes, over all choices at once, rounded to whole numbers; it has no seed."""
        from scipy.optimize import shgo

        bounds = [(0.0, n - 1.0) for n in self.problem.space.cardinalities]
        shgo(lambda x: float(look(np.rint(x)[None].astype(np.int64))[0]), bounds, n=samples)

    def random(self, look: Any, seed: int, samples: int) -> None:
        look(self.problem.space.sample(samples, np.random.default_rng(seed)))

    def best_known(self) -> float:
        """The least product of descents from random networks, over one choice at a time."""
        space = self.problem.space
        least = np.inf
        for arch in space.sample(STARTS, np.random.default_rng(1)):
            value = np.inf
            while True:
                around = one_choice_away(space, arch[None])
                found = self.product(self.natural(around))
                if found.min() >= value:
                    break
                arch, value = around[found.argmin()], float(found.min())
            least = min(least, value)
        return least


def within(look: Looked, budget: int) -> tuple[Callable[[Archs], Floats], list[float]]:
    """The same function that raises `Enough` once `budget` different architectures were looked at; and the least value so far."""
    least = [np.inf]

    def limited(archs: Archs) -> Floats:
        if len(look) >= budget:
            raise Enough
        values = look(archs)
        least[0] = min(least[0], float(values.min()))
        return values

    return limited, least


def calls(call: Callable[[], object]) -> int:
    """Calls into compiled code (numpy, scipy, the interpreter's own) that a call makes."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--space", default="flash-dense")
    arguments = parser.parse_args()
    clock = time.perf_counter()
    study = Study(spaces.load(arguments.space))
    print(
        f"{study.problem.space.size:.3g} networks, priced in {time.perf_counter() - clock:.1f} s; "
        + ", ".join(map(str, study.problem.constraints))
    )
    best = study.best_known()
    methods: dict[str, Any] = {"hierarchical SHGO": study.hierarchical, "plain SHGO": study.plain, "random search": study.random}
    found: dict[str, list[float]] = {name: [] for name in methods}
    evaluations = []
    for seed in range(arguments.seeds):
        look = study.look()
        study.hierarchical(look, seed, arguments.samples)
        evaluations.append(len(look))
        for name, method in methods.items():
            limited, least = within(study.look(), len(look))
            with contextlib.suppress(Enough):
                method(limited, seed, arguments.samples if name == "hierarchical SHGO" else len(look))
            found[name].append(least[0])
    runs = {
        name: lambda m=m, n=n: m(study.look(), 0, n)
        for name, m, n in ((k, v, arguments.samples if v == study.hierarchical else evaluations[0]) for k, v in methods.items())
    }
    seconds = interleaved(runs, arguments.repeats)
    rows = []
    for name in methods:
        timed, legal = spread(seconds[name]), [value for value in found[name] if value < 1e5]
        counted = instructions(runs[name])
        rows.append({
            "method": name, "evaluations": float(np.median(evaluations)), "meets the bounds": f"{len(legal)} of {arguments.seeds}",
            "product / best known": float(np.exp(np.median(legal) - best)) if legal else None,
            "worst": float(np.exp(max(legal) - best)) if legal else None,
            "median ms": 1e3 * timed["median"], "min ms": 1e3 * timed["min"],
            "million instructions": None if counted is None else counted / 1e6, "thousand compiled calls": calls(runs[name]) / 1e3,
        })  # fmt: skip
    print(table(rows))
    print("wanted: hierarchical SHGO in 100 ms")
    save(
        "flash",
        {
            "options": vars(arguments),
            "space": study.problem.space.spec(),
            "constraints": [str(c) for c in study.problem.constraints],
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
