"""The weight-sharing study on its space of 64 children: how stable and how true are the rankings of shared weights?

    python benchmarks/weight_sharing.py [--epochs 60] [--seeds 5] [--data digits] [--resolution 16] [--space sharing64] [--work FOLDER]

After Zhang et al., Deeper Insights into Weight Sharing in Neural Architecture Search, 2020 (arXiv 2001.01431): S-Tau is the mean Kendall's
tau of all pairs of rankings, GT-Tau that of a ranking with the truth, the mean of stand-alone trainings. Every row is several
super-networks that differ in what its name says; the last rows are the noise ceiling (truth with other seeds) and chance. Trainings are
kept in --work, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from common import save, table

from hwnas import data, spaces
from hwnas.accuracy import SupernetAccuracy
from hwnas.ranking import Floats, mean_tau, picked_rank, tau
from hwnas.supernet import load, train
from hwnas.supernet.grouping import children
from hwnas.supernet.strategies import StandAlone, make
from hwnas.supernet.train_log import epoch_checkpoints

#: The paper's numbers (10 instances, 200 epochs, CIFAR-10) of the same name.
PUBLISHED = {"seeds": 0.4567, "orders": 0.4625, "reshuffled": 0.5108, "last epochs": 0.5053, "truth": 0.7985}
GROUPS = (1, 2, 4, 8, 16, 32, 64)
LAST = 10


class Study:
    """Trainings of one space on one data set, each kept in a folder of its own."""

    def __init__(self, options: Any) -> None:
        self.options, self.work = options, Path(options.work)
        self.dataset = data.load(options.data, resolution=options.resolution)
        d = self.dataset
        self.space = spaces.load(options.space, classes=d.classes, resolution=d.resolution, channels=d.channels)
        self.archs = children(self.space)[: options.children or None]

    def scores(self, name: str, strategy: Any, seed: int, archs: Any, keep: int = 0) -> list[Floats]:
        """Accuracies `(n,)` at the end of a training, after those of the `keep` epochs before."""
        out = self.work / f"{name}-{seed}"
        print(out.name, flush=True)
        supernet = train(
            self.space, self.dataset, strategy=strategy, epochs=self.options.epochs, seed=seed, out=out, resume=True, keep_epochs=keep + 1
        )
        before = [load(file)[0] for file in epoch_checkpoints(out)[:-1]] if keep else []
        return [SupernetAccuracy(net, self.dataset)(archs)[0] for net in (*before, supernet)]

    def truth(self) -> Floats:
        """Accuracies of children on their own, `(seeds, n)`."""
        found = []
        for seed in range(1000, 1000 + self.options.seeds):  # never a seed of a super-network
            names = {"alone-" + "".join(map(str, arch)): tuple(arch) for arch in self.archs.tolist()}
            found.append([self.scores(name, StandAlone(arch), seed, np.array([arch]))[0][0] for name, arch in names.items()])
        return np.array(found)

    def grouped(self, name: str, weights_seed: int, keep: int = 0, **options: Any) -> list[Floats]:
        """Accuracies of a super-network with grouped sharing."""
        return self.scores(name, make("grouped", options), weights_seed, self.archs, keep)


def row(name: str, rankings: list[Floats], truth: Floats) -> dict[str, Any]:
    """S-Tau, GT-Tau and the best true rank among the first and the first three."""
    with_truth = [float(tau(ranking, truth)) for ranking in rankings]
    return {
        "what differs": name, "n": len(rankings), "S-Tau": mean_tau(rankings), "GT-Tau": statistics.mean(with_truth),
        "std": statistics.stdev(with_truth) if len(with_truth) > 1 else 0.0,
        "T1R": statistics.mean(picked_rank(r, truth, 1) for r in rankings),
        "T3R": statistics.mean(picked_rank(r, truth, 3) for r in rankings),
        "published GT-Tau": PUBLISHED.get(name),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--children", type=int, default=0, help="only the first so many, to try the script")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument("--space", default="sharing64")
    parser.add_argument("--work", default="runs/weight_sharing")
    study = Study(parser.parse_args())
    seeds = range(study.options.seeds)
    alone = study.truth()
    truth = alone.mean(axis=0)
    last = study.grouped("fixed", 0, keep=LAST, groups=1, order="fixed")
    rows = [
        row("seeds", [study.grouped("fixed", s, keep=LAST if s == 0 else 0, groups=1, order="fixed")[-1] for s in seeds], truth),
        row("orders", [study.grouped(f"order{s}", 0, groups=1, order="fixed", seed=s)[0] for s in seeds], truth),
        row("reshuffled", [study.grouped(f"reshuffled{s}", 0, groups=1, order="reshuffled", seed=s)[0] for s in seeds], truth),
        row("last epochs", last, truth),
    ]
    for by in ("similar", "random"):
        for m in (m for m in GROUPS if m <= len(study.archs)):
            found = [study.grouped(f"{by}{m}", s, groups=m, by=by, order="reshuffled", seed=s)[0] for s in seeds]
            rows.append(row(f"{m} groups, {by}", found, truth))
    for name in ("fair", "sandwich"):
        rows.append(row(name, [study.scores(name, name, s, study.archs)[0] for s in seeds], truth))
    others = [np.delete(alone, s, axis=0).mean(axis=0) for s in seeds] if len(seeds) > 1 else [alone[0]]
    ceiling = [float(tau(alone[s], others[s])) for s in seeds]
    rng = np.random.default_rng(0)
    rows += [
        row("truth", list(alone), truth) | {"GT-Tau": statistics.mean(ceiling)},
        row("chance", [rng.random(len(truth)) for _ in range(100)], truth),
    ]
    print(table(rows))
    save("weight_sharing", {"options": vars(study.options), "data": study.dataset.summary(), "truth": alone.tolist(), "rows": rows})


if __name__ == "__main__":
    main()
