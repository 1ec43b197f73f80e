"""Who scores an architecture. Calling this module, `hwnas.accuracy(supernet)`, gives the objective that a search wants."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError
from hwnas import data as images
from hwnas.accuracy.degree_accuracy import DegreeAccuracy
from hwnas.accuracy.nn_degree import NNDegree
from hwnas.accuracy.zero_cost import ZeroCost
from hwnas.callable_module import make_callable
from hwnas.data import Dataset

if TYPE_CHECKING:
    from hwnas.accuracy.supernet import SupernetAccuracy
    from hwnas.supernet import Supernet

__all__ = ["DegreeAccuracy", "NNDegree", "SupernetAccuracy", "ZeroCost", "accuracy", "load_accuracy"]


def accuracy(supernet: Supernet, data: str | os.PathLike[str] | Dataset | None = None) -> SupernetAccuracy:
    """Validation accuracy of sub-nets with inherited, calibrated weights, as a search objective.

    `data`: a data set, or what `hwnas.data.load` takes; when not given, the data that `hwnas.train` trained on.
    Raises InputError when the super-network does not know its data, or they do not fit it.
    """
    from hwnas.accuracy.supernet import SupernetAccuracy

    dataset = supernet.dataset if data is None else data
    if dataset is None:
        raise InputError("this super-network does not know its data: pass them, such as accuracy(supernet, 'digits')")
    if not isinstance(dataset, Dataset):
        dataset = images.load(dataset, resolution=supernet.space.input_shape[1])
    return SupernetAccuracy(supernet, dataset)


def load_accuracy(checkpoint: str | os.PathLike[str], data: str | os.PathLike[str] | None = None) -> SupernetAccuracy:
    """The accuracy of a saved super-network on the images that it was trained on; `data` says where they are now.

    Raises InputError when there is no checkpoint, or the images are not the same any more: a search on images that the weights were
    trained on would find an accuracy that nobody will see again.
    """
    from hwnas.supernet.checkpoint import load

    supernet, metadata = load(checkpoint)
    supernet.folder = Path(checkpoint).resolve()
    record = metadata["data"]
    dataset = images.load(record["spec"] if data is None else data, resolution=record["resolution"], seed=record["seed"])
    if dataset.sha256 != record["sha256"]:
        raise InputError(f"{dataset.name} is not the data that {checkpoint} was trained on ({record['spec']})")
    return accuracy(supernet, dataset)


def __getattr__(name: str) -> Any:
    """Loads torch only when the class is asked for."""
    if name != "SupernetAccuracy":
        raise AttributeError(f"module 'hwnas.accuracy' has no attribute {name!r}")
    from hwnas.accuracy.supernet import SupernetAccuracy

    return SupernetAccuracy


make_callable(__name__, "accuracy")
