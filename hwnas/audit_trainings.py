"""The trainings of an audit, each done once: what is finished is kept, what was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs

if TYPE_CHECKING:
    from hwnas.accuracy import SupernetAccuracy
    from hwnas.supernet.strategies import Strategy

#: In the folder of the checkpoint: the accuracies of finished trainings, and the trainings in progress.
FINISHED, RUNNING = "audit.trainings.json", "audit.running"


class Trainings:
    """Trains with the recipe of a checkpoint's `metadata` and scores on the validation images of `scorer`.

    A finished training is known by everything that decides it (space, images, strategy, recipe, seed), so that results of another recipe in
    the same folder are never taken for this one's. `planned` is their number, for `progress(share, message)`.
    """

    def __init__(
        self, folder: Path, scorer: SupernetAccuracy, metadata: dict[str, Any], epochs: int | None, progress: Callable[[float, str], None]
    ) -> None:
        self.folder, self.scorer, self.metadata, self.progress = folder, scorer, metadata, progress
        self.recipe: dict[str, Any] = metadata["recipe"] | {"epochs": epochs or metadata["plan"]["done"]}
        self.planned, self._done = 1, 0
        self._finished = _read(folder / FINISHED)

    def alone(self, arch: Archs, seed: int) -> float:
        """The accuracy of one architecture trained on its own; `seed` counts from 0 and never gives the super-network's own seed."""
        from hwnas.supernet.strategies import StandAlone

        name = f"{'.'.join(map(str, arch.tolist()))} on its own, seed {seed}"
        return float(self._once(name, StandAlone(tuple(arch.tolist())), seed, arch[None])[0])

    def supernet(self, archs: Archs, seed: int) -> npt.NDArray[np.float64]:
        """The accuracies `(n,)` of architectures in another super-network that differs by its seed alone."""
        from hwnas.supernet.strategies import make

        strategy = make(self.metadata["strategy"]["name"], self.metadata["strategy"]["options"])
        return self._once(f"super-network, seed {seed}", strategy, seed, archs)

    def last_epochs(self, archs: Archs) -> list[npt.NDArray[np.float64]]:
        """The accuracies `(n,)` that architectures had after each of the last epochs whose checkpoints were kept."""
        from hwnas.accuracy import SupernetAccuracy
        from hwnas.supernet.checkpoint import load
        from hwnas.supernet.train_log import epoch_checkpoints

        return [SupernetAccuracy(load(file)[0], self.scorer.dataset)(archs)[0] for file in epoch_checkpoints(self.folder)]

    def _once(self, name: str, strategy: Strategy, seed: int, archs: Archs) -> npt.NDArray[np.float64]:
        recipe = self.recipe | {"seed": self.recipe["seed"] + 1 + seed}
        what = [self.metadata["space"], self.metadata["data"]["sha256"], strategy.name, strategy.options(), recipe, archs.tolist()]
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
        if key not in self._finished:
            self._finished[key] = {"name": name, "accuracy": self._train(name, strategy, recipe, archs, self.folder / RUNNING / key)}
            self._write()
            shutil.rmtree(self.folder / RUNNING)
        self._done += 1
        self.progress(self._done / self.planned, name)
        return np.array(self._finished[key]["accuracy"], dtype=np.float64)

    def _train(self, name: str, strategy: Strategy, recipe: dict[str, Any], archs: Archs, folder: Path) -> list[float]:
        from hwnas.accuracy import SupernetAccuracy
        from hwnas.supernet.train import train

        def progress(step: int, total: int, _numbers: dict[str, float]) -> None:
            """The share of all trainings."""
            self.progress((self._done + step / total) / self.planned, name)

        space, dataset = self.scorer.supernet.space, self.scorer.dataset
        trained = train(space, dataset, strategy=strategy, out=folder, resume=True, progress=progress, keep_epochs=0, **recipe)
        found: list[float] = SupernetAccuracy(trained, dataset)(archs)[0].tolist()
        return found

    def _write(self) -> None:
        from hwnas.supernet.checkpoint import write_atomically

        write_atomically(self.folder / FINISHED, (json.dumps(self._finished, indent=1) + "\n").encode())


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The finished trainings by key; nothing when there is no file yet. Raises InputError when it is something else."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        sound = all(all(0 <= float(share) <= 1 for share in entry["accuracy"]) for entry in found.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise InputError(f"{path}: not a list of finished trainings; remove it to train all of them again")
    return dict(found)
