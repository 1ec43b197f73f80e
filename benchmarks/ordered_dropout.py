"""Ordered dropout against one-path sampling: time, and epochs, to equal mean accuracy of sub-nets.

    python benchmarks/ordered_dropout.py [--epochs 40] [--seeds 3] [--data digits] [--resolution 16] [--batch 32]

Both train the same number of epochs with a constant learning rate, and the checkpoint of every epoch is scored; the target is the best mean
accuracy that one-path sampling reaches. The time is that of training alone, as the log of each training has it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import save, spread, table

from hwnas import data, spaces
from hwnas.accuracy import SupernetAccuracy
from hwnas.supernet import load, train
from hwnas.supernet.train_log import LOG, epoch_checkpoints

#: Sub-nets whose mean accuracy is followed.
SUBNETS = 16


def curve(space: Any, dataset: Any, strategy: str, epochs: int, batch: int, seed: int, archs: Any) -> tuple[list[float], list[float]]:
    """Seconds of training after every epoch, and the mean accuracy of the sub-nets then."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "training"
        train(
            space, dataset, strategy=strategy, epochs=epochs, batch_size=batch, seed=seed, schedule="constant", learning_rate=0.1,
            out=out, keep_epochs=epochs,
        )  # fmt: skip
        seconds = np.cumsum([json.loads(line)["seconds"] for line in (out / LOG).read_text().splitlines()])
        means = [float(SupernetAccuracy(load(file)[0], dataset)(archs)[0].mean()) for file in epoch_checkpoints(out)]
    return seconds.tolist(), means


def reached(seconds: list[float], means: list[float], target: float) -> tuple[float, int] | tuple[None, None]:
    """Seconds and epochs until the accuracy is there for the first time."""
    epoch = next((i for i, mean in enumerate(means) if mean >= target), None)
    return (None, None) if epoch is None else (seconds[epoch], epoch + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int, default=16)
    options = parser.parse_args()
    dataset = data.load(options.data, resolution=options.resolution)
    space = spaces.load("mobilenet-small", classes=dataset.classes, resolution=dataset.resolution, channels=dataset.channels)
    archs = space.sample(SUBNETS, np.random.default_rng(0))
    rows, curves = [], []
    for seed in range(options.seeds):
        both = {name: curve(space, dataset, name, options.epochs, options.batch, seed, archs) for name in ("one_path", "ordered_dropout")}
        target = max(both["one_path"][1])
        times = {name: reached(*both[name], target) for name in both}
        (slow, many), (fast, few) = times["one_path"], times["ordered_dropout"]
        row = {"seed": seed, "target": target, "one_path s": slow, "ordered_dropout s": fast, "epochs": many, "its epochs": few}
        rows.append(row | {"times faster": None if slow is None or fast is None else slow / fast})
        curves.append(both)
        print(table(rows), flush=True)
    ratios = [row["times faster"] for row in rows if row["times faster"] is not None]
    print(f"ordered dropout reached the target in {len(ratios)} of {len(rows)} trainings")
    save("ordered_dropout", {"options": vars(options), "rows": rows, "ratio": spread(ratios) if ratios else None, "curves": curves})


if __name__ == "__main__":
    main()
