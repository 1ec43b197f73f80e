"""The images that tell a quantiser which values occur."""

from __future__ import annotations

import os
from functools import partial
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from device_profiles.errors import InputError
from hwnas.data import Dataset, Images
from hwnas.data.arrays import read_images
from hwnas.data.folders import ENDINGS
from hwnas.data.pictures import Picture, read_pictures
from hwnas.supernet.calibration import calibration_images

#: Fewer images than this do not show which values occur.
MIN_IMAGES = 16
#: Of more images this many are taken, evenly spaced: the range of values hardly widens after some hundred.
MAX_IMAGES = 512


class Calibration(NamedTuple):
    """Images `(n, c, h, w)` 0..255 of the size of the data, and where they come from."""

    images: Images
    source: str


def calibration_of(dataset: Dataset, path: str | os.PathLike[str] | None = None) -> Calibration:
    """The user's images, from a folder of pictures (at any depth, no labels) or an .npz file; without a path, images trained on.

    Pictures are resized as training resized them; arrays have to be of the size of the data. Raises InputError, in one line, for images of
    another size or too few of them.
    """
    if path is None:
        return _enough(calibration_images(dataset), f"training images of {dataset.name}")
    place = Path(path)
    images = _folder(place, dataset) if place.is_dir() else read_images(place, dataset.resolution)
    if images.shape[1] == 1 and dataset.channels == 3:
        images = np.repeat(images, 3, axis=1)
    wanted, found = (dataset.channels, dataset.resolution, dataset.resolution), images.shape[1:]
    if found != wanted:
        raise InputError(
            f"{place}: calibration images are {_shape(found)}, the network was trained on {_shape(wanted)}: give images like those"
        )
    return _enough(images, place.name)


def _folder(path: Path, dataset: Dataset) -> Images:
    """Every picture below a folder, grey where the data are grey."""
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
    if len(files) < MIN_IMAGES:
        raise InputError(f"{path}: {len(files)} pictures are too few to calibrate with: give {MIN_IMAGES} or more, some hundred are good")
    chosen = [files[i] for i in _spread(len(files))]
    return read_pictures([Picture(str(file), partial(FileIO, file)) for file in chosen], dataset.resolution)


def _enough(images: Images, source: str) -> Calibration:
    if len(images) < MIN_IMAGES:
        raise InputError(f"{source}: {len(images)} images are too few to calibrate with: give {MIN_IMAGES} or more, some hundred are good")
    return Calibration(images[_spread(len(images))], source)


def _spread(count: int) -> list[int]:
    """The numbers of at most `MAX_IMAGES` of so many things, evenly spaced."""
    kept = min(count, MAX_IMAGES)
    return [i * count // kept for i in range(kept)]


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
