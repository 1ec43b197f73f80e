"""A training in progress, epoch by epoch."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from device_profiles.errors import DeviceError, InputError
from hwnas.data import Dataset
from hwnas.spaces.base import SearchSpace
from hwnas.supernet import checkpoint, processes, train_log
from hwnas.supernet.base import Supernet
from hwnas.supernet.batches import Feed, held_out_rows
from hwnas.supernet.initialise import initialise
from hwnas.supernet.recipe import Plan, Recipe
from hwnas.supernet.sorting import sort_channels
from hwnas.supernet.strategies import Batch, Pass, Strategy

Progress = Callable[[int, int, dict[str, float]], None]

# Random streams that must not depend on each other: the order of the images is the same for every strategy.
_IMAGES, _SUBNETS, _HELD_OUT = 1, 2, 3


class DivergedError(InputError):
    """The loss is no number any more; the last good checkpoint is kept."""


class Trainer:
    """A training in progress: weights, optimiser, strategy, and the books that a checkpoint keeps.

    The random numbers of an epoch depend on the seed and the number of the epoch alone, so that the number is all that resuming needs.
    """

    def __init__(self, space: SearchSpace, dataset: Dataset, strategy: Strategy, recipe: Recipe, device: torch.device) -> None:
        _check_fit(space, dataset)
        self.space, self.dataset, self.strategy, self.recipe, self.device = space, dataset, strategy, recipe, device
        self.supernet: Supernet = strategy.supernet(space)
        initialise(self.supernet, torch.Generator().manual_seed(recipe.seed))
        self.supernet.to(device)
        self.weights = list(self.supernet.parameters())  # once: looking for them through all modules takes part of a small step
        self.optimiser = _optimiser(self.supernet, recipe)
        self.average = {name: weight.clone() for name, weight in checkpoint.weights(self.supernet).items()} if recipe.average else {}
        rows, held_out = held_out_rows(dataset.train.labels, strategy.held_out_share())
        if len(rows) < 2:
            raise InputError(f"{dataset.name} has {len(rows)} images to train on: batch-norm needs at least 2")
        self.feed = Feed(dataset.train, recipe, device, rows)
        self.held_out = Feed(dataset.train, recipe, device, held_out) if len(held_out) else None
        self.plan = Plan.of(recipe.epochs)
        self.history: list[dict[str, float]] = []

    def run(
        self, folder: Path | None, progress: Progress | None, time_limit_s: float | None, keep_epochs: int = 0, tensorboard: bool = False
    ) -> None:
        """Trains to the end, with a checkpoint and a line of the log in `folder` after every epoch. The average comes last."""
        if processes.here()[0] > 0:
            folder = progress = None
        if folder is not None:
            train_log.reset_log(folder, self.plan.done)
        start, epochs = time.monotonic(), 0
        with train_log.board(folder if tensorboard else None, self.plan.done) as show:
            while self.plan.left:
                began = time.monotonic()
                self.epoch(progress)
                seconds, spent, epochs = time.monotonic() - began, time.monotonic() - start, epochs + 1
                self.plan.advance(None if time_limit_s is None else int(processes.mean((time_limit_s - spent) / (spent / epochs), 1)))
                line = {**self.history[-1], "seconds": seconds, "images_per_s": len(self.feed.rows) / seconds}
                if folder is not None:
                    self.save(folder / checkpoint.FILE)
                    train_log.keep_epoch(folder, self.plan.done, keep_epochs)
                    train_log.log(folder, line)
                show(line)
        if self.average:
            self.supernet.load_state_dict(self.average, strict=False)

    def epoch(self, progress: Progress | None) -> None:
        """Trains on every image once and adds a line to the history."""
        self.supernet.train()
        seed, done, total = self.recipe.seed, self.plan.done, self.feed.batches
        subnets, order, judged = (np.random.default_rng([seed, stream, done]) for stream in (_SUBNETS, _IMAGES, _HELD_OUT))
        losses: list[float] = []
        correct, seen, began = 0, 0, time.monotonic()
        for index, (images, labels, size) in enumerate(self.feed.epoch(order)):
            share = self.plan.progress(index / total)
            for dimension in self.strategy.sorts(self.space, share):
                self._sort(dimension)
            rate = self.recipe.rate(share, done + (index + 1) / total)
            held_out = None if self.held_out is None else self.held_out.some(judged)
            passes = self._step(Batch(images, labels, subnets, share, self.recipe.label_smoothing, held_out, size), rate)
            self._average(done * total + index)
            losses.append(passes[0].loss if len(passes) == 1 else sum(p.loss for p in passes) / len(passes))
            correct, seen = correct + passes[0].correct, seen + size
            if progress is not None:
                numbers = {"epoch": done + 1, "loss": losses[-1], "train_accuracy": correct / seen, "learning_rate": rate}
                speed = {"images_per_s": seen / (time.monotonic() - began)}
                progress(done * total + index + 1, (done + self.plan.left) * total, numbers | speed)
        self.history.append({"epoch": done + 1, "loss": sum(losses) / len(losses), "train_accuracy": correct / seen, "learning_rate": rate})

    def _step(self, batch: Batch, rate: float) -> list[Pass]:
        """One update of the weights; they stay as they were when it would not be a number. Returns what all processes saw."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        passes = self._differentiate(batch)
        processes.sum_gradients(self.weights)
        norm = float(torch.nn.utils.clip_grad_norm_(self.weights, self.recipe.clip_norm))
        n = len(batch.labels)
        together = [replace(p, loss=processes.mean(p.loss, n), correct=processes.count(p.correct)) for p in passes]
        if not all(math.isfinite(p.loss) for p in together) or not math.isfinite(norm):
            raise self._diverged(together)
        self.optimiser.step()
        return together

    def _differentiate(self, batch: Batch) -> list[Pass]:
        passes = self._tried(batch)
        if passes is None:
            raise DeviceError(self._too_large(batch))
        return passes

    def _tried(self, batch: Batch) -> list[Pass] | None:
        """What becomes of the sub-nets of this step; None when memory does not suffice."""
        self.optimiser.zero_grad(set_to_none=True)
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
                return self.strategy.step(self.supernet, batch)
        except (RuntimeError, MemoryError) as error:
            if not _memory_is_short(error):
                raise
        return None

    def _too_large(self, batch: Batch) -> str:
        """What to say when a batch does not fit into memory: tries halves until one does."""
        n = whole = len(batch.labels)
        while n >= 4:
            n //= 2
            if self._tried(replace(batch, images=batch.images[:n], labels=batch.labels[:n], total=0)) is not None:
                return f"out of memory with {whole} images in a batch; {n} fit: try batch_size {n}; {self._kept()}"
        return f"out of memory with {whole} images in a batch, and with {n}: this super-network needs more memory; {self._kept()}"

    def _sort(self, dimension: str) -> None:
        """Sorts channels by importance, and what the optimiser and the average know of them with the weights."""
        known: dict[str, dict[str, torch.Tensor]] = {}
        for key, name, tensor in (entry for entry in self._learned() if entry[2].dim()):  # not the number of steps
            known.setdefault(key, {})[name] = tensor
        sort_channels(self.supernet, dimension, self.average, *known.values())

    def _learned(self) -> Iterator[tuple[str, str, torch.Tensor]]:
        """What the optimiser keeps, by its own name and that of the weight."""
        for name, parameter in self.supernet.named_parameters():
            for key, tensor in self.optimiser.state.get(parameter, {}).items():
                if tensor is not None:
                    yield key, name, tensor

    def _average(self, step: int) -> None:
        """Moves the average towards the weights; early on it follows faster, so that the first weights are soon forgotten."""
        if self.average:
            decay = min(self.recipe.average, (1 + step) / (10 + step))
            weights = checkpoint.weights(self.supernet)
            torch._foreach_lerp_(list(self.average.values()), [weights[name] for name in self.average], 1 - decay)

    def _kept(self) -> str:
        return f"the checkpoint of epoch {self.plan.done} is kept" if self.plan.done else "no epoch was finished"

    def _diverged(self, passes: list[Pass]) -> DivergedError:
        culprit = next((p for p in passes if not math.isfinite(p.loss)), passes[-1])
        return DivergedError(
            f"training diverged in epoch {self.plan.done + 1}: sub-net {list(culprit.architecture)} has loss {culprit.loss} or a gradient "
            f"that is not finite; {self._kept()}; try a learning_rate below {self.recipe.peak:g}"
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
        tensors = {checkpoint.WEIGHT + name: tensor for name, tensor in checkpoint.weights(self.supernet).items()}
        tensors |= {f"{checkpoint.OPTIMISER}{key}/{name}": tensor for key, name, tensor in self._learned()}
        tensors |= {checkpoint.AVERAGE + name: tensor for name, tensor in self.average.items()}
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
        checkpoint.load_weights(self.supernet, checkpoint.part(tensors, checkpoint.WEIGHT), path)
        parameters = dict(self.supernet.named_parameters())
        for name, tensor in checkpoint.part(tensors, checkpoint.OPTIMISER).items():
            key, _, weight = name.partition("/")
            if tensor.dim():  # in the memory order of the weight, as the optimiser keeps it
                tensor = torch.empty_like(parameters[weight]).copy_(tensor).detach()
            self.optimiser.state[parameters[weight]][key] = tensor
        self.average = {name: self.average[name].copy_(t) for name, t in checkpoint.part(tensors, checkpoint.AVERAGE).items()}
        self.strategy.load_state(checkpoint.part(tensors, checkpoint.STRATEGY))
        try:
            self.plan, self.history = Plan(**found["plan"]), list(found["history"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be resumed: it does not say how far the training was") from error


def _check_fit(space: SearchSpace, dataset: Dataset) -> None:
    dataset.require(space.input_shape, space.classes, "the space")


def _optimiser(supernet: Supernet, recipe: Recipe) -> torch.optim.Optimizer:
    decayed = [p for p in supernet.parameters() if p.dim() > 1]
    spared = [p for p in supernet.parameters() if p.dim() <= 1]  # batch-norm and biases
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.peak, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(groups, lr=recipe.peak, momentum=recipe.momentum, nesterov=True)


def _memory_is_short(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 300 else text[:297] + "..."
