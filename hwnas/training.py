"""`hwnas.train`: from a space and images to a super-network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError, unknown
from hwnas import data as images
from hwnas.data import Dataset
from hwnas.spaces.base import SearchSpace

if TYPE_CHECKING:
    from hwnas.supernet import Supernet
    from hwnas.supernet.strategies import Strategy


def as_share(update: Callable[[float, str], None]) -> Callable[[int, int, Mapping[str, float]], None]:
    """The progress of a training, (step, steps, numbers), as a share and a message for a progress bar."""

    def progress(step: int, total: int, numbers: Mapping[str, float]) -> None:
        """Says where the training is."""
        update(
            step / total,
            f"epoch {numbers['epoch']:.0f}, loss {numbers['loss']:.3f}, train accuracy {numbers['train_accuracy']:.1%}"
            f", {numbers['images_per_s']:.0f} images/s",
        )

    return progress


def train(
    space: SearchSpace,
    data: str | os.PathLike[str] | Dataset,
    *,
    strategy: str | Strategy = "sandwich",
    out: str | os.PathLike[str],
    **options: Any,
) -> Supernet:
    """Trains the super-network of `space` and keeps its checkpoints in the folder `out`.

    `data`: a data set, or what `hwnas.data.load` takes, resized to the space. `options` are those of `hwnas.supernet.train.train`:
    `epochs`, `seed`, `resume`, `progress`, ... Raises InputError for data that do not fit the space and for wrong options.
    """
    from hwnas.supernet.train import train as run

    dataset = data if isinstance(data, Dataset) else images.load(data, resolution=space.input_shape[1])
    supernet = run(space, dataset, strategy=strategy, out=out, **options)
    supernet.dataset, supernet.folder = dataset, Path(out).resolve()
    return supernet


def options_of(strategy: str, texts: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`NAME=VALUE` texts as the options of a strategy and those of the training; values are JSON, or text.

    Where both have an option of that name, it is the strategy's. Raises InputError for an unknown strategy or option.
    """
    from hwnas.supernet.recipe import Recipe
    from hwnas.supernet.strategies import STRATEGIES

    if strategy not in STRATEGIES:
        raise unknown("strategy", strategy, STRATEGIES)
    known = ({field.name for field in fields(STRATEGIES[strategy])}, {field.name for field in fields(Recipe)})
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"an option is written NAME=VALUE, got {text!r}")
        if name not in known[0] | known[1]:
            raise unknown("option", name, sorted(known[0] | known[1]))
        try:
            found[0 if name in known[0] else 1][name] = json.loads(value)
        except ValueError:
            found[0 if name in known[0] else 1][name] = value
    return found
