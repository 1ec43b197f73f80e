"""NN-Degree on networks of the FLASH family trained here: how well it ranks them, and how well 25 of them predict the others.

    python benchmarks/nn_degree.py [--nets 60] [--samples 25] [--epochs 8] [--seeds 2] [--data digits] [--family dense|residual]

Beside it: parameters, multiply-adds and the zero-cost proxies. Every network is trained on its own, from `--seeds` seeds, and its
accuracy is the mean on the validation images; the ceiling is how well the accuracies of one seed rank those of another. For the error every
score gets the same curve of three numbers, fitted on `--samples` networks and judged on the rest, over 50 draws of the samples. Trainings
are kept in --work, so that a run that was stopped goes on. Nothing is timed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import save, table
from scipy.stats import spearmanr

from device_profiles.errors import InputError
from hwnas import data
from hwnas.accuracy import NNDegree, SupernetAccuracy, ZeroCost
from hwnas.accuracy.degree_accuracy import Theta
from hwnas.accuracy.zero_cost import SCORES
from hwnas.ranking import tau, tau_with_interval
from hwnas.spaces.flash import Cell, FlashDenseSpace, FlashResidualSpace, FlashSpace
from hwnas.supernet import train
from hwnas.supernet.strategies import StandAlone

#: Draws of the samples on which the curves are fitted.
DRAWS = 50
#: The cells of the paper at a quarter to a half of their size, for small images.
DENSE = tuple(Cell(tuple(2 * 2**c * k for k in (1, 2, 3, 4)), (5, 6, 8, 10, 13), tuple(k / 2 for k in range(7))) for c in range(3))
RESIDUAL = tuple(Cell(tuple(4 * 2**c * k for k in (1, 2, 3)), (1, 2, 3, 4), (0.0, 0.25, 0.5, 0.75, 1.0)) for c in range(3))


def space_of(family: str, dataset: data.Dataset) -> FlashSpace:
    """Three cells of one family for these images."""
    kind, cells = (FlashDenseSpace, DENSE) if family == "dense" else (FlashResidualSpace, RESIDUAL)
    return kind(cells, dataset.classes, dataset.channels, dataset.resolution)


def accuracies(space: FlashSpace, dataset: data.Dataset, archs: Any, options: argparse.Namespace) -> Any:
    """Validation accuracies `(nets, seeds)` of stand-alone trainings; those that the work folder knows are not done again."""
    known = json.loads(options.work.read_text()) if options.work.exists() else {}
    setting = [space.spec(), dataset.sha256, options.epochs]
    found = np.empty((len(archs), options.seeds))
    for i, arch in enumerate(archs):
        for seed in range(options.seeds):
            key = hashlib.sha256(json.dumps([setting, arch.tolist(), seed]).encode()).hexdigest()[:32]
            if key not in known:
                net = train(space, dataset, strategy=StandAlone(tuple(arch.tolist())), epochs=options.epochs, seed=seed)
                known[key] = float(SupernetAccuracy(net, dataset)(arch[None])[0][0])
                options.work.write_text(json.dumps(known))
                print(f"network {i + 1} of {len(archs)}, seed {seed}: {known[key]:.4f}", flush=True)
            found[i, seed] = known[key]
    return found


def error(score: Any, truth: Any, samples: int) -> float | None:
    """The median over draws of the root mean square error on the networks left out, in percent; None where the score has no curve."""
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        order = rng.permutation(len(truth))
        fit, rest = order[:samples], order[samples:]
        try:
            predicted = Theta.fit(score[fit], truth[fit]).predict(score[rest]).values
        except InputError:
            return None
        found.append(100 * float(np.sqrt(np.square(predicted - truth[rest]).mean())))
    return float(np.median(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=60)
    parser.add_argument("--samples", type=int, default=25)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int, default=8)
    parser.add_argument("--family", choices=("dense", "residual"), default="dense")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "nn_degree.trainings.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = data.load(options.data, resolution=options.resolution)
    space = space_of(options.family, dataset)
    archs = np.unique(space.sample(options.nets, np.random.default_rng(0)), axis=0)
    trained = accuracies(space, dataset, archs, options)
    truth = trained.mean(axis=1)
    scores = {"nn_degree": NNDegree(space)(archs)} | {name: ZeroCost(space, name, dataset)(archs) for name in SCORES}
    rng = np.random.default_rng(0)
    rows = []
    for name, score in scores.items():
        agreement = tau_with_interval(score, truth, rng) or {"value": None, "low": None, "high": None}
        rows.append({
            "score": name, "Spearman": float(spearmanr(score, truth).statistic), "Kendall": agreement["value"],
            "low": agreement["low"], "high": agreement["high"], f"RMSE % from {options.samples}": error(score, truth, options.samples),
        })  # fmt: skip
    plain = 100 * float(truth.std())
    ceiling = float(tau(trained[:, 0], trained[:, 1])) if options.seeds > 1 else None
    print(table(rows))
    print(
        f"{len(archs)} networks, accuracy {truth.min():.4f} to {truth.max():.4f}, deviation {plain:.3g} % (error of the mean); "
        f"Kendall between two seeds {ceiling}"
    )
    record = {name: value for name, value in vars(options).items() if name != "work"}
    save(
        f"nn_degree_{options.family}",
        {"options": record, "space": space.spec(), "data": dataset.summary(), "rows": rows, "deviation_percent": plain,
         "kendall_between_seeds": ceiling, "architectures": archs.tolist(), "accuracy": trained.tolist()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
