"""What gradients through the super-network are worth: hypervolume against evaluations, beside searches that learn from evaluations.

    python benchmarks/differentiable.py --device DEVICE.json [--supernet FOLDER] [--seeds 3] [--evaluations 96] [--steps 50]

Accuracy is that of a super-network of `mobilenet-small` on the handwritten digits (trained here unless one is given), latency that of
the device. Every algorithm gets as many evaluations; an architecture is scored once, whoever asks. Hypervolume is a share
of that of everything that was scored, the reference being no accuracy and the costliest random architecture. Differentiable search looks at
batches of validation images besides, `--steps` of them for every 8 evaluations: "images" counts what passed through networks, forwards
and (for gradients, twice as much) backwards, of all algorithms. Nothing is timed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import save, table

import hwnas
import predictors
from hwnas.accuracy import SupernetAccuracy, load_accuracy
from hwnas.front import hypervolume
from hwnas.objectives import Floats, as_objectives
from hwnas.search import Problem
from hwnas.search.algorithms import make
from hwnas.spaces.base import Archs
from hwnas.supernet.calibration import CALIBRATION_IMAGES
from hwnas.supernet.mixed import BATCH
from hwnas.torch_tools import threads

ALGORITHMS = ("differentiable", "surrogate", "nsga2", "random")


class Remembered:
    """An accuracy that scores every architecture once."""

    name, unit, direction, expensive, bounds = "accuracy", "", "max", True, (0.0, 1.0)

    def __init__(self, scorer: SupernetAccuracy) -> None:
        self.scorer, self.known, self.mixed_loss = scorer, dict[tuple[int, ...], float](), scorer.mixed_loss

    def __call__(self, archs: Archs) -> Floats:
        for arch in map(tuple, archs.tolist()):
            if arch not in self.known:
                self.known[arch] = float(self.scorer(arch)[0][0])
        return np.array([self.known[tuple(arch)] for arch in archs.tolist()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", required=True, help="a file, or a device of the library")
    parser.add_argument("--supernet", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=96)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    device = predictors.load(arguments.device)
    with tempfile.TemporaryDirectory() as folder, threads(1):
        scorer = Remembered(load_accuracy(arguments.supernet) if arguments.supernet else trained(Path(folder)))
        space = scorer.scorer.supernet.space
        problem = Problem(space, as_objectives([scorer, device.latency_ms], space))
        found = {name: [drive(problem, name, seed, arguments) for seed in range(arguments.seeds)] for name in ALGORITHMS}
    every = np.concatenate([values for runs in found.values() for values in runs])
    sampled = problem.objectives[1].evaluate(space.sample(1000, np.random.default_rng(0))).values
    corner = np.array([0.0, float(sampled.max())])
    whole = hypervolume(every, corner)
    marks = [n for n in (8, 16, 24, 48, 96, 192) if n <= arguments.evaluations]
    rows: list[dict[str, Any]] = []
    for name, runs in found.items():
        row: dict[str, Any] = {"algorithm": name}
        row |= {f"after {n}": float(np.median([hypervolume(values[:n], corner) for values in runs])) / whole for n in marks}
        rows.append(row | {"images": images(name, arguments, scorer.scorer)})
    print(table(rows))
    save(
        "differentiable",
        {"device": device.device_name_, "space": space.spec(), "seeds": arguments.seeds, "steps": arguments.steps, "rows": rows},
    )


def trained(folder: Path) -> SupernetAccuracy:
    """The super-network of the quick start."""
    space = hwnas.spaces.load("mobilenet-small", classes=10, resolution=16, channels=1)
    return hwnas.accuracy(hwnas.train(space, "digits", out=folder / "supernet", epochs=40, seed=0))


def drive(problem: Problem, name: str, seed: int, arguments: argparse.Namespace) -> Floats:
    """The values of what one search evaluates, in order, in minimisation form, `(n, 2)`."""
    optimiser = make(name, problem, seed, {"steps": arguments.steps} if name == "differentiable" else {})
    parts: list[Floats] = []
    while sum(map(len, parts)) < arguments.evaluations:
        archs = optimiser.ask(optimiser.batch)
        parts.append(np.column_stack([o.sign * o.evaluate(archs).values for o in problem.objectives]))
        optimiser.tell(archs, parts[-1], np.zeros(len(archs)))
    return np.concatenate(parts)[: arguments.evaluations]


def images(name: str, arguments: argparse.Namespace, scorer: SupernetAccuracy) -> int:
    """Images through networks: a gradient counts three times as much as a result."""
    scored = arguments.evaluations * (len(scorer.dataset.validation) + CALIBRATION_IMAGES)
    return scored + (3 * BATCH * arguments.steps * -(-arguments.evaluations // 8) if name == "differentiable" else 0)


if __name__ == "__main__":
    main()
