"""Weights of single architectures of a run, trained after the search: where they lie, and which of them are deployed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity

if TYPE_CHECKING:
    from hwnas.supernet import Supernet

#: The folder in a run's folder, and the entry in the metadata of each file.
FOLDER, ENTRY = "finetuned", "finetuned"


def slug(arch: Sequence[int]) -> str:
    """An architecture in the name of a file."""
    return "-".join(str(int(index)) for index in arch)


def weights_file(run: Path, arch: Sequence[int], variant: str) -> Path:
    """Where the weights of an architecture lie that were trained in one way."""
    return run / FOLDER / f"{slug(arch)}.{variant}.safetensors"


def record(path: Path) -> dict[str, Any]:
    """What a file of weights says about its training. Raises InputError when it is no such file."""
    from hwnas.supernet.checkpoint import read

    found = read(path)[1].get(ENTRY)
    try:
        for split in ("validation", "test"):
            Quantity.from_json(found[split])  # type: ignore[index]
    except (InputError, KeyError, TypeError) as error:
        raise InputError(f"{path}: these weights do not say how good they are: not written by `hwnas finetune`") from error
    assert isinstance(found, dict)
    return found


def best(run: Path, arch: Sequence[int]) -> Path | None:
    """Of the weights of an architecture, those with the highest validation accuracy; None when it was never trained further.

    Chosen on validation images, so that the test accuracy flatters nobody. Raises InputError when a file is damaged.
    """
    files = sorted((run / FOLDER).glob(f"{slug(arch)}.*.safetensors"))
    return max(files, key=lambda file: float(record(file)["validation"]["value"]), default=None)


def load(path: Path) -> Supernet:
    """The network of a file of weights, to be calibrated, scored and extracted as every super-network is."""
    from hwnas.supernet.checkpoint import load as load_checkpoint

    return load_checkpoint(path)[0]
