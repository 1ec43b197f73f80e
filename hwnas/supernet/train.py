"""Training the shared weights: `train`, from a space and images to a super-network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces.base import SearchSpace
from hwnas.supernet import checkpoint, processes
from hwnas.supernet.base import Supernet
from hwnas.supernet.recipe import Recipe
from hwnas.supernet.strategies import Strategy, make
from hwnas.supernet.trainer import DivergedError, Progress, Trainer
from hwnas.torch_tools import threads as use_threads

__all__ = ["DivergedError", "train"]


def train(
    space: SearchSpace,
    dataset: Dataset,
    *,
    strategy: str | Strategy = "sandwich",
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    threads: int | None = 1,
    time_limit_s: float | None = None,
    device: str = "cpu",
    keep_epochs: int = 3,
    tensorboard: bool = False,
    **recipe: Any,
) -> Supernet:
    """Trains the super-network of `space` on `dataset.train` and returns it in eval mode; sub-nets still have to be calibrated.

    `recipe` are fields of `hwnas.supernet.recipe.Recipe`: `epochs`, `batch_size`, `learning_rate`, `seed`, ... `strategy` is a name or a
    strategy with options of its own.
    `out` is a folder: `supernet.safetensors` is replaced after every epoch, `train.jsonl` gets a line, and the checkpoints of the last
    `keep_epochs` epochs stay in `epochs/`; `tensorboard` writes the lines for TensorBoard too, in `tensorboard/`. `resume=True` goes on
    after the last finished epoch there (or begins, when there is none) and ends with the same bytes as a training that was not interrupted,
    given the same `threads` (None: as torch is set). One thread is the default: sub-nets for small images gain a sixth of the time from a
    second core, and lose a factor of ten when a neighbour needs it. `progress(step, steps, numbers)` is called after every step.
    `time_limit_s` shortens the training, schedule included, to the epochs that fit; the first one always runs. torch's global random
    state is neither read nor changed. Started by `torchrun`, every process trains its part of each batch, and the first one writes.
    Raises InputError for options out of range, data that do not fit the space, a folder that holds a training while `resume` is False, or
    a checkpoint of another space, other data or other options; `DivergedError` when the loss is no number; DeviceError when memory does
    not suffice, with a batch that would fit, or another process is gone.
    """
    if time_limit_s is not None and not time_limit_s > 0:
        raise InputError(f"time_limit_s must be positive, got {time_limit_s}")
    if keep_epochs < 0:
        raise InputError(f"keep_epochs must not be negative, got {keep_epochs}")
    if tensorboard and out is None:
        raise InputError("TensorBoard needs a folder for its events: give `out`")
    folder = None if out is None else Path(out)
    trainer = Trainer(space, dataset, make(strategy), Recipe.of(recipe), _device(device))
    first = trainer.supernet.active
    if folder is not None and (folder / checkpoint.FILE).exists():
        if not resume:
            raise InputError(f"{folder} already holds a training: go on with it (resume) or choose another folder")
        trainer.restore(folder / checkpoint.FILE)
    with use_threads(threads), processes.joined():
        trainer.run(folder, progress, time_limit_s, keep_epochs, tensorboard)
    trainer.supernet.activate(first)
    trainer.supernet.dataset = dataset
    return trainer.supernet.eval().cpu()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device must be such as cpu, cuda or cuda:1, got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device must be such as cpu, cuda or cuda:1, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"there is no device {name!r} here: torch sees {torch.cuda.device_count()} GPUs")
    return device
