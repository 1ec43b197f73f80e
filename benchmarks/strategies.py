"""Every training strategy for the same wall time on one space: accuracy and ranking of the sub-nets that it leaves.

    python benchmarks/strategies.py [--seconds 300] [--seeds 3] [--data digits] [--resolution 16]

The baseline is one-path sampling; stand-alone training is the truth for the ranking and gets the same time for each architecture only
with --truth. Accuracies are on validation images, with calibrated statistics.
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
from hwnas.supernet.strategies import StandAlone, make

#: What is compared: every strategy as it is, and some with other options.
COMPARED: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in STRATEGIES if name != "stand_alone"} | {
    "sandwich, not distilled": ("sandwich", {"distill": False}),
    "progressive, sorted": ("progressive", {"sort": True}),
}
#: Sub-nets that are scored, besides the smallest and the largest.
SUBNETS = 20
#: More epochs than fit: the time limit ends every training, and its learning rate near 0.
EPOCHS = 100_000


def one(space: Any, dataset: Any, strategy: Any, seconds: float, seed: int, archs: Any) -> tuple[Any, int]:
    """Accuracies `(n,)` after a training of this long, and its epochs."""
    epochs: list[float] = []
    supernet = train(
        space, dataset, strategy=strategy, epochs=EPOCHS, seed=seed, time_limit_s=seconds, warmup_epochs=1.0,
        progress=lambda _now, _total, numbers: epochs.append(numbers["epoch"]),
    )  # fmt: skip
    return SupernetAccuracy(supernet, dataset)(archs)[0], int(epochs[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument(
        "--truth", type=float, default=0.0, help="seconds of stand-alone training of each sub-net; 0 leaves out the ranking"
    )
    options = parser.parse_args()
    dataset = data.load(options.data, resolution=options.resolution)
    space = spaces.load("mobilenet-small", classes=dataset.classes, resolution=dataset.resolution, channels=dataset.channels)
    archs = np.concatenate([space.smallest(), space.largest(), space.sample(SUBNETS, np.random.default_rng(0))])
    truth = None
    if options.truth:
        truth = np.array([one(space, dataset, StandAlone(tuple(a.tolist())), options.truth, 1, a[None])[0][0] for a in archs])
    rows = []
    for name, (strategy, changed) in COMPARED.items():
        found = [one(space, dataset, make(strategy, changed), options.seconds, seed, archs) for seed in range(options.seeds)]
        means = [float(accuracy[2:].mean()) for accuracy, _ in found]
        rows.append(
            {
                "strategy": name,
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
    save("strategies", {"options": vars(options), "space": space.spec(), "data": dataset.summary(), "rows": rows})


if __name__ == "__main__":
    main()
