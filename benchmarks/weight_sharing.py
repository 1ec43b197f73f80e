"""The weight-sharing study on its space of 64 children: how stable and how true are the rankings of shared weights?

    python benchmarks/weight_sharing.py [--epochs 20] [--seeds 3] [--instances 5] [--data digits] [--resolution 16] [--jobs 2]
                                        [--width 16] [--cells 4] [--stem 48] [--batch 32] [--images 0] [--rows NAME ...] [--work FOLDER]

After Zhang et al., Deeper Insights into Weight Sharing in Neural Architecture Search, 2020 (arXiv 2001.01431): S-Tau is the mean Kendall's
tau of all pairs of rankings, GT-Tau that of a ranking with the truth, the mean of stand-alone trainings. Every row is several
super-networks that differ in what its name says. As there, every child alone, every group and the one shared set are trained for --epochs,
prefix sharing for ten times that; the last rows are the noise ceiling (truth with other seeds) and chance. The rows after those of the
paper are other ways to train the one set for ten times --epochs: strategies that train several sub-nets per image get as many epochs less.
"Further": every child goes on from the shared weights for one epoch on its own, at a tenth of the learning rate.

Every finished training is kept in --work, so that a run that was stopped goes on. Nothing here depends on time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import save, table

from hwnas import data
from hwnas.accuracy import SupernetAccuracy
from hwnas.data import Dataset, Split
from hwnas.ranking import Floats, mean_tau, picked_rank, tau
from hwnas.spaces.sharing import SharingSpace

#: The paper's GT-Tau and its standard deviation (10 instances, 200 epochs, CIFAR-10); for groups over the last 64 mini-batches.
PUBLISHED = {
    "seeds": (0.457, 0.148), "orders": (0.463, 0.099), "reshuffled": (0.511, 0.067), "last epochs": (0.505, 0.140),
    "truth": (0.799, 0.026), "1 group": (0.499, 0.150), "2 groups, similar": (0.343, 0.144), "4 groups, similar": (0.708, 0.070),
    "8 groups, similar": (0.692, 0.046), "16 groups, similar": (0.720, 0.041), "32 groups, similar": (0.736, 0.036),
    "2 groups, random": (0.458, 0.137), "4 groups, random": (0.274, 0.134), "8 groups, random": (0.254, 0.146),
    "16 groups, random": (0.166, 0.126), "32 groups, random": (0.290, 0.110), "0 cells shared": (0.696, 0.013),
    "1 cells shared": (0.484, 0.094), "2 cells shared": (0.416, 0.193), "3 cells shared": (0.445, 0.188), "4 cells shared": (0.517, 0.159),
}  # fmt: skip
GROUPS, LAST, LONGER = (2, 4, 8, 16, 32), 10, 10
#: Sub-nets that one step of a strategy trains on the same images, where it is more than one.
PASSES = {"fair": 4, "sandwich": 4}
#: Of the learning rate, for children that go on alone.
FURTHER = 0.1


@dataclass(frozen=True)
class Training:
    """One training, and what is scored: all children, or the one that it is about; after the `last` epochs before the end too; and after
    one epoch more for every child alone.
    """

    name: str
    strategy: str
    epochs: int
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    last: int = 0
    further: bool = False

    @property
    def file(self) -> str:
        """Where its scores are kept."""
        return f"{self.name.replace(' ', '-')}.{self.seed}.json"


@dataclass(frozen=True)
class Study:
    """Sizes of the network and of the data."""

    data: str
    resolution: int
    images: int
    width: int
    cells: int
    stem: int
    batch: int

    @cache  # noqa: B019 - one study per process
    def dataset(self) -> Dataset:
        """The images, the first so many of training and validation where there is a limit."""
        found = data.load(self.data, resolution=self.resolution)
        if not self.images:
            return found
        train, validation = (Split(s.images[: self.images], s.labels[: self.images]) for s in (found.train, found.validation))
        return replace(found, train=train, validation=validation)

    @cache  # noqa: B019
    def space(self) -> SharingSpace:
        """The 64 children."""
        d = self.dataset()
        return SharingSpace(d.classes, d.channels, d.resolution, width=self.width, cells=self.cells, stem=self.stem)

    def archs(self) -> Any:
        """All of them, `(64, 3)`."""
        from hwnas.supernet.grouping import children

        return children(self.space())


def perform(training: Training, study: Study, work: Path) -> Training:
    """Trains, scores, and keeps the scores: `{"scores": [...accuracies `(n,)` per checkpoint...], "further": [...]}`."""
    from hwnas.supernet import load, train
    from hwnas.supernet.strategies import make
    from hwnas.supernet.train_log import epoch_checkpoints

    space, dataset = study.space(), study.dataset()
    archs = np.array([training.options["architecture"]]) if training.strategy == "stand_alone" else study.archs()
    with TemporaryDirectory() as folder:
        out = {"out": folder, "keep_epochs": training.last} if training.last else {}
        net = train(
            space, dataset, strategy=make(training.strategy, training.options), epochs=training.epochs, seed=training.seed,
            batch_size=study.batch, **out,
        )  # fmt: skip
        before = [load(file)[0] for file in epoch_checkpoints(Path(folder))[:-1]] if training.last else []
    scores = [SupernetAccuracy(each, dataset)(archs)[0].tolist() for each in (*before, net)]
    found = {"scores": scores, "further": [gone_on(net, study, arch, training.seed) for arch in archs] if training.further else []}
    draft = work / f".{training.file}"
    draft.write_text(json.dumps(found), encoding="utf-8")
    draft.replace(work / training.file)
    return training


def gone_on(net: Any, study: Study, arch: Any, seed: int) -> float:
    """The accuracy of a child after one more epoch, alone, from the shared weights."""
    import torch

    from hwnas.finetune import _inherit
    from hwnas.supernet.recipe import Recipe
    from hwnas.supernet.strategies import StandAlone
    from hwnas.supernet.trainer import Trainer

    torch.set_num_threads(1)
    recipe = Recipe(epochs=1, batch_size=study.batch, warmup_epochs=0.0, learning_rate=FURTHER * Recipe().peak, seed=seed)
    trainer = Trainer(net.space, study.dataset(), StandAlone(tuple(arch.tolist())), recipe, torch.device("cpu"))
    _inherit(trainer, net.extract(arch))
    trainer.run(None, None, None)
    return float(SupernetAccuracy(trainer.supernet.eval(), study.dataset())(arch[None])[0][0])


def trainings(study: Study, epochs: int, seeds: int, instances: int) -> dict[str, list[Training]]:
    """What is trained for every row."""
    shared, turns = {"groups": 1, "order": "fixed"}, {"groups": 1, "order": "reshuffled"}
    many = range(instances)
    rows = {
        "truth": [
            Training(f"alone {''.join(map(str, arch))}", "stand_alone", epochs, 1000 + s, {"architecture": arch})
            for s in range(seeds) for arch in study.archs().tolist()
        ],
        "seeds": [Training("shared", "grouped", epochs, s, shared, last=LAST if s == 0 else 0) for s in many],
        "orders": [Training(f"order {s}", "grouped", epochs, 0, {**shared, "seed": s}) for s in many],
        "reshuffled": [Training(f"reshuffled {s}", "grouped", epochs, 0, {**turns, "seed": s}) for s in many],
        "1 group": [Training("1 group", "grouped", epochs, s, turns, further=True) for s in many],
    }  # fmt: skip
    for by, m in itertools.product(("similar", "random"), GROUPS):
        options = {"groups": m, "by": by, "order": "reshuffled"}
        name = f"{m} groups, {by}"
        rows[name] = [Training(name, "grouped", epochs * m, s, {**options, "seed": s}, further=m == 8) for s in range(seeds)]
    for cells in range(study.cells + 1):
        options = {"groups": 64, "order": "reshuffled", "prefix": 1 + cells}
        rows[f"{cells} cells shared"] = [Training(f"{cells} cells shared", "grouped", epochs * LONGER, s, options) for s in range(seeds)]
    for name in ("one_path", *PASSES):
        rows[f"{name}, longer"] = [
            Training(f"{name} longer", name, epochs * LONGER // PASSES.get(name, 1), s, further=True) for s in range(seeds)
        ]  # fmt: skip
    return rows


def row(name: str, rankings: list[Floats], truth: Floats, epochs: int | None = None) -> dict[str, Any]:
    """S-Tau, GT-Tau and the best true rank among the first and the first three."""
    with_truth = [float(tau(ranking, truth)) for ranking in rankings]
    published = PUBLISHED.get(name, (None, None))
    return {
        "what differs": name, "n": len(rankings), "epochs": epochs, "S-Tau": mean_tau(rankings), "GT-Tau": statistics.mean(with_truth),
        "std": statistics.stdev(with_truth) if len(with_truth) > 1 else 0.0,
        "T1R": statistics.mean(picked_rank(r, truth, 1) for r in rankings),
        "T3R": statistics.mean(picked_rank(r, truth, 3) for r in rankings),
        "published GT-Tau": published[0], "published std": published[1],
    }  # fmt: skip


def report(planned: dict[str, list[Training]], work: Path, seeds: int) -> tuple[list[dict[str, Any]], Floats]:
    """The rows of the table, and the truth `(seeds, 64)`."""
    found = {t.file: json.loads((work / t.file).read_text(encoding="utf-8")) for t in itertools.chain(*planned.values())}
    alone = np.array([found[t.file]["scores"][-1][0] for t in planned["truth"]]).reshape(seeds, -1)
    truth = alone.mean(axis=0)
    rows = []
    for name, own in planned.items():
        if name == "truth":
            continue
        rows.append(row(name, [np.array(found[t.file]["scores"][-1]) for t in own], truth, own[0].epochs))
        if name == "seeds":
            rows.append(row("last epochs", [np.array(s) for s in found[own[0].file]["scores"]], truth, own[0].epochs))
        if own[0].further:
            rows.append(row(f"{name}, further", [np.array(found[t.file]["further"]) for t in own], truth, own[0].epochs + len(truth)))
    ceiling = [float(tau(alone[s], np.delete(alone, s, axis=0).mean(axis=0))) for s in range(seeds)] if seeds > 1 else []
    rng = np.random.default_rng(0)
    last = row("truth", list(alone), truth, len(truth) * planned["truth"][0].epochs)
    last |= {"GT-Tau": statistics.mean(ceiling), "std": statistics.stdev(ceiling)} if seeds > 1 else {"GT-Tau": None}
    return [*rows, last, row("chance", [rng.random(len(truth)) for _ in range(100)], truth)], alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("epochs", 20),
        ("seeds", 3),
        ("instances", 5),
        ("resolution", 16),
        ("width", 16),
        ("cells", 4),
        ("stem", 48),
        ("batch", 32),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--images", type=int, default=0, help="of training and of validation; 0: all")
    parser.add_argument("--rows", nargs="*", help="only these, by their names in the table; the truth is always trained")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--work", default="runs/weight_sharing")
    options = parser.parse_args()
    study = Study(options.data, options.resolution, options.images, options.width, options.cells, options.stem, options.batch)
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    planned = trainings(study, options.epochs, options.seeds, options.instances)
    if options.rows:
        planned = {name: planned[name] for name in ("truth", *options.rows)}
    left = [t for t in itertools.chain(*planned.values()) if not (work / t.file).exists()]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(perform, t, study, work) for t in left]
        for number, done in enumerate(as_completed(waiting), 1):
            print(f"{number} of {len(left)}: {done.result().file}", flush=True)
    rows, alone = report(planned, work, options.seeds)
    print(table(rows))
    save("weight_sharing", {"options": vars(options), "data": study.dataset().summary(), "truth": alone.tolist(), "rows": rows})


if __name__ == "__main__":
    main()
