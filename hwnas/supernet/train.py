"""Training the shared weights, epoch by epoch, with a checkpoint after each."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces.base import SearchSpace
from hwnas.supernet import checkpoint
from hwnas.supernet.base import Supernet
from hwnas.supernet.batches import batches, batches_per_epoch
from hwnas.supernet.initialise import initialise
from hwnas.supernet.recipe import Plan, Recipe
from hwnas.supernet.strategies import Batch, Pass, Strategy, make
from hwnas.torch_tools import threads as use_threads

Progress = Callable[[int, int, dict[str, float]], None]

#: The log in a training's folder: one JSON object per epoch.
LOG = "train.jsonl"
_DEFAULT = Recipe()
# Random streams that must not depend on each other: the order of the images is the same for every strategy.
_IMAGES, _SUBNETS = 1, 2


class DivergedError(InputError):
    """The loss is no number any more; the last good checkpoint is kept."""


def train(
    space: SearchSpace,
    dataset: Dataset,
    *,
    strategy: str | Strategy = "sandwich",
    epochs: int = _DEFAULT.epochs,
    batch_size: int = _DEFAULT.batch_size,
    learning_rate: float = _DEFAULT.learning_rate,
    momentum: float = _DEFAULT.momentum,
    weight_decay: float = _DEFAULT.weight_decay,
    label_smoothing: float = _DEFAULT.label_smoothing,
    clip_norm: float = _DEFAULT.clip_norm,
    shift: int = _DEFAULT.shift,
    warmup_epochs: float = _DEFAULT.warmup_epochs,
    seed: int = _DEFAULT.seed,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    threads: int | None = 1,
    time_limit_s: float | None = None,
) -> Supernet:
    """Trains the super-network of `space` on `dataset.train` and returns it in eval mode; sub-nets still have to be calibrated.

    `out` is a folder: `supernet.safetensors` is replaced after every epoch, `train.jsonl` gets a line. `resume=True` goes on after the last
    finished epoch there (or begins, when there is none) and ends with the same bytes as a training that was not interrupted, given the
    same `threads` (None: as torch is set). One thread is the default: sub-nets for small images gain a sixth of the time from a second
    core, and lose a factor of ten when a neighbour needs it. `progress(step, steps, numbers)` is called after every step.
    `time_limit_s` shortens the training, schedule included, to the epochs that fit; the first one always runs. torch's global random
    state is neither read nor changed.
    Raises InputError for options out of range, data that do not fit the space, a folder that holds a training while `resume` is False, or
    a checkpoint of another space, other data or other options; `DivergedError` when the loss is no number.
    """
    recipe = Recipe(
        epochs, batch_size, learning_rate, momentum, weight_decay, label_smoothing, clip_norm, shift, warmup_epochs, seed
    )  # fmt: skip
    if time_limit_s is not None and not time_limit_s > 0:
        raise InputError(f"time_limit_s must be positive, got {time_limit_s}")
    folder = None if out is None else Path(out)
    trainer = Trainer(space, dataset, make(strategy), recipe)
    if folder is not None and (folder / checkpoint.FILE).exists():
        if not resume:
            raise InputError(f"{folder} already holds a training: go on with it (resume) or choose another folder")
        trainer.restore(folder / checkpoint.FILE)
    if folder is not None:
        _reset_log(folder, trainer.plan.done)
    with use_threads(threads):
        trainer.run(folder, progress, time_limit_s)
    trainer.supernet.activate(space.largest())
    trainer.supernet.dataset = dataset
    return trainer.supernet.eval()


class Trainer:
    """A training in progress: weights, optimiser, strategy, and the books that a checkpoint keeps.

    The random numbers of an epoch depend on the seed and the number of the epoch alone, so that the number is all that resuming needs.
    """

    def __init__(self, space: SearchSpace, dataset: Dataset, strategy: Strategy, recipe: Recipe) -> None:
        _check_fit(space, dataset)
        self.space, self.dataset, self.strategy, self.recipe = space, dataset, strategy, recipe
        self.supernet: Supernet = space.supernet()
        initialise(self.supernet, torch.Generator().manual_seed(recipe.seed))
        self.optimiser = _optimiser(self.supernet, recipe)
        self.plan = Plan.of(recipe.epochs)
        self.history: list[dict[str, float]] = []

    def run(self, folder: Path | None, progress: Progress | None, time_limit_s: float | None) -> None:
        """Trains to the end, with a checkpoint and a line of the log in `folder` after every epoch."""
        start, epochs = time.monotonic(), 0
        while self.plan.left:
            began = time.monotonic()
            self.epoch(progress)
            seconds, spent, epochs = time.monotonic() - began, time.monotonic() - start, epochs + 1
            self.plan.advance(None if time_limit_s is None else int((time_limit_s - spent) / (spent / epochs)))
            if folder is not None:
                self.save(folder / checkpoint.FILE)
                _log(folder, {**self.history[-1], "seconds": seconds, "images_per_s": len(self.dataset.train) / seconds})

    def epoch(self, progress: Progress | None) -> None:
        """Trains on every image once and adds a line to the history."""
        self.supernet.train()
        seed, done, total = self.recipe.seed, self.plan.done, batches_per_epoch(len(self.dataset.train), self.recipe.batch_size)
        subnets = np.random.default_rng([seed, _SUBNETS, done])
        order = np.random.default_rng([seed, _IMAGES, done])
        losses: list[float] = []
        correct = seen = 0
        for index, (images, labels) in enumerate(batches(self.dataset.train, self.recipe.batch_size, order, self.recipe.shift)):
            share = self.plan.progress(index / total)
            rate = self.recipe.rate(share, done + (index + 1) / total)
            passes = self._step(Batch(images, labels, subnets, share, self.recipe.label_smoothing), rate)
            losses.append(sum(p.loss for p in passes) / len(passes))
            correct, seen = correct + passes[0].correct, seen + len(labels)
            if progress is not None:
                numbers = {"epoch": done + 1, "loss": losses[-1], "train_accuracy": correct / seen, "learning_rate": rate}
                progress(done * total + index + 1, (done + self.plan.left) * total, numbers)
        self.history.append({"epoch": done + 1, "loss": sum(losses) / len(losses), "train_accuracy": correct / seen, "learning_rate": rate})

    def _step(self, batch: Batch, rate: float) -> list[Pass]:
        """One update of the weights; they stay as they were when it would not be a number."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        passes = self.strategy.step(self.supernet, batch)
        norm = float(torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), self.recipe.clip_norm))
        if not all(math.isfinite(p.loss) for p in passes) or not math.isfinite(norm):
            raise self._diverged(passes)
        self.optimiser.step()
        return passes

    def _diverged(self, passes: list[Pass]) -> DivergedError:
        culprit = next((p for p in passes if not math.isfinite(p.loss)), passes[-1])
        kept = f"the checkpoint of epoch {self.plan.done} is kept" if self.plan.done else "no epoch was finished"
        return DivergedError(
            f"training diverged in epoch {self.plan.done + 1}: sub-net {list(culprit.architecture)} has loss {culprit.loss} or a gradient "
            f"that is not finite; {kept}; try a learning_rate below {self.recipe.learning_rate:g}"
        )

    def metadata(self) -> dict[str, Any]:
        """Everything of the training that is not a tensor, as JSON; no times, so that equal trainings give equal bytes."""
        return {
            "space": self.space.spec(),
            "data": self.dataset.summary(),
            "strategy": {"name": self.strategy.name, "options": self.strategy.options()},
            "recipe": asdict(self.recipe),
            "plan": asdict(self.plan),
            "history": self.history,
            "versions": {name: version(name) for name in ("hwnas", "torch", "numpy")},
        }  # fmt: skip

    def save(self, path: Path) -> None:
        """Writes the checkpoint, all or nothing."""
        tensors = {checkpoint.WEIGHT + name: tensor for name, tensor in self.supernet.state_dict().items()}
        for name, parameter in self.supernet.named_parameters():
            state = self.optimiser.state.get(parameter, {})
            if state.get("momentum_buffer") is not None:
                tensors[checkpoint.MOMENTUM + name] = state["momentum_buffer"]
        tensors |= {checkpoint.STRATEGY + name: tensor for name, tensor in self.strategy.state().items()}
        checkpoint.save(path, tensors, self.metadata())

    def restore(self, path: Path) -> None:
        """Takes up a checkpoint. Raises InputError, naming both sides, when it is of another space, other data or other options."""
        tensors, found = checkpoint.read(path)
        mine = json.loads(json.dumps(self.metadata()))
        for what in ("space", "data", "strategy", "recipe"):
            theirs, ours = found.get(what), mine[what]
            same = theirs.get("sha256") == ours["sha256"] if what == "data" and isinstance(theirs, dict) else theirs == ours
            if not same:
                raise InputError(f"{path} cannot be resumed: its {what} is {_short(theirs)}, asked for was {_short(ours)}")
        checkpoint.load_weights(self.supernet, tensors, path)
        momentum = checkpoint.part(tensors, checkpoint.MOMENTUM)
        for name, parameter in self.supernet.named_parameters():
            if name in momentum:  # in the memory order of the weight, as the optimiser keeps it
                self.optimiser.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(momentum[name]).detach()
        self.strategy.load_state(checkpoint.part(tensors, checkpoint.STRATEGY))
        try:
            self.plan, self.history = Plan(**found["plan"]), list(found["history"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be resumed: it does not say how far the training was") from error


def _check_fit(space: SearchSpace, dataset: Dataset) -> None:
    dataset.require(space.input_shape, space.classes, "the space")
    if len(dataset.train) < 2:
        raise InputError(f"{dataset.name} has {len(dataset.train)} training images: batch-norm needs at least 2")


def _optimiser(supernet: Supernet, recipe: Recipe) -> torch.optim.SGD:
    decayed = [p for p in supernet.parameters() if p.dim() > 1]
    spared = [p for p in supernet.parameters() if p.dim() <= 1]  # batch-norm and biases
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=True)


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 300 else text[:297] + "..."


def _reset_log(folder: Path, epochs: int) -> None:
    """Keeps the log's lines of the epochs in the checkpoint: a kill may have come between a checkpoint and its line, or within a line."""
    path = folder / LOG
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            if json.loads(line)["epoch"] <= epochs:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue  # the line at which the earlier process died
    checkpoint.write_atomically(path, "".join(kept).encode())


def _log(folder: Path, line: dict[str, float]) -> None:
    try:
        with open(folder / LOG, "a") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {folder / LOG}: {error.strerror or error}") from error
