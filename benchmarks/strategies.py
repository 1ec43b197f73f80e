"""Every training strategy at equal cost on one space: accuracy and ranking of the sub-nets that it leaves.

    python benchmarks/strategies.py [--seconds 300] [--seeds 3] [--data digits] [--resolution 16] [--truth 60]
    python benchmarks/strategies.py --epochs 16 [--seeds 3] [--data digits] [--resolution 16] [--truth 16]

Equal wall time by default. With --epochs the same number of images instead, which does not depend on the machine: so many epochs of one
sub-net per image; a strategy that trains several sub-nets on each image gets as many epochs less. The baseline is one-path sampling;
stand-alone training is the truth for the ranking, --truth seconds (or epochs) of each sub-net. Accuracies are on validation images, with
calibrated statistics.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np
from common import save, table

from hwnas import data, spaces
from hwnas.accuracy import SupernetAccuracy
from hwnas.ranking import mean_tau, tau
from hwnas.supernet import STRATEGIES, train
from hwnas.supernet.strategies import Batch, Pass, StandAlone, make

#: What is compared: every strategy as it is, and some with other options.
COMPARED: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in STRATEGIES if name != "stand_alone"} | {
    "sandwich, not distilled": ("sandwich", {"distill": False}),
    "progressive, sorted": ("progressive", {"sort": True}),
}
#: Sub-nets that are scored, besides the smallest and the largest.
SUBNETS = 20
#: More epochs than fit: the time limit ends every training, and its learning rate near 0.
EPOCHS = 100_000
#: Epochs in which the sub-nets of a strategy's steps are counted.
TRIAL = 8


def one(space: Any, dataset: Any, strategy: Any, limit: dict[str, Any], seed: int, archs: Any) -> tuple[Any, int]:
    """Accuracies `(n,)` after a training, and its epochs."""
    epochs: list[float] = []
    supernet = train(
        space, dataset, strategy=strategy, seed=seed, warmup_epochs=1.0, **limit,
        progress=lambda _now, _total, numbers: epochs.append(numbers["epoch"]),
    )  # fmt: skip
    return SupernetAccuracy(supernet, dataset)(archs)[0], int(epochs[-1])


def per_image(space: Any, dataset: Any, strategy: Any) -> float:
    """How many sub-nets a strategy trains on every training image of an epoch, on average over a training."""
    seen, real = [0], strategy.step

    def step(supernet: Any, batch: Batch) -> list[Pass]:
        passes: list[Pass] = real(supernet, batch)
        seen[0] += len(passes) * len(batch.labels)
        return passes

    strategy.step = step
    train(space, dataset, strategy=strategy, epochs=TRIAL)
    return seen[0] / (TRIAL * len(dataset.train))


def limits(options: Any, images: float) -> dict[str, Any]:
    """When a training ends whose strategy trains so many sub-nets per image."""
    if options.epochs:
        return {"epochs": max(1, round(options.epochs / images))}
    return {"epochs": EPOCHS, "time_limit_s": options.seconds}


def true_accuracies(space: Any, dataset: Any, options: Any, archs: Any) -> Any:
    """Accuracies `(n,)` of sub-nets trained on their own; None when there is no time for that."""
    if not options.truth:
        return None
    limit = {"epochs": int(options.truth)} if options.epochs else {"epochs": EPOCHS, "time_limit_s": options.truth}
    return np.array([one(space, dataset, StandAlone(tuple(a.tolist())), limit, 1, a[None])[0][0] for a in archs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--epochs", type=int, default=0, help="equal numbers of images instead of equal time")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument("--truth", type=float, default=0.0, help="of each sub-net on its own; 0 leaves out the ranking")
    options = parser.parse_args()
    dataset = data.load(options.data, resolution=options.resolution)
    space = spaces.load("mobilenet-small", classes=dataset.classes, resolution=dataset.resolution, channels=dataset.channels)
    archs = np.concatenate([space.smallest(), space.largest(), space.sample(SUBNETS, np.random.default_rng(0))])
    truth = true_accuracies(space, dataset, options, archs)
    rows = []
    for name, (strategy, changed) in COMPARED.items():
        images = per_image(space, dataset, make(strategy, changed)) if options.epochs else None
        limit = limits(options, images or 1.0)
        found = [one(space, dataset, make(strategy, changed), limit, seed, archs) for seed in range(options.seeds)]
        means = [float(accuracy[2:].mean()) for accuracy, _ in found]
        rows.append(
            {
                "strategy": name,
                "sub-nets per image": images,
                "epochs": statistics.median(epochs for _, epochs in found),
                "mean sub-net": statistics.mean(means),
                "std over seeds": statistics.stdev(means) if len(means) > 1 else 0.0,
                "smallest": statistics.mean(float(accuracy[0]) for accuracy, _ in found),
                "largest": statistics.mean(float(accuracy[1]) for accuracy, _ in found),
                "tau between seeds": mean_tau([accuracy for accuracy, _ in found]),
                "tau with truth": None if truth is None else statistics.mean(float(tau(accuracy, truth)) for accuracy, _ in found),
            }
        )
        print(table(rows[-1:]), flush=True)
    print(table(rows))
    name = "strategies_by_images" if options.epochs else "strategies"
    save(name, {"options": vars(options), "space": space.spec(), "data": dataset.summary(), "rows": rows})


if __name__ == "__main__":
    main()
