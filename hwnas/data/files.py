"""What all readers of images share: the limits, what they return, and the check of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.data.room import joined

#: Images of `(n, c, h, w)` pixels 0..255.
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

#: A class needs this many images so that each of the three splits gets one.
MIN_IMAGES_PER_CLASS = 5
#: Larger sides are refused: this is a toolkit for images that fit in memory.
MAX_RESOLUTION = 1024
#: Largest number of bytes read from one file.
MAX_BYTES = 4 * 1024**3
#: More channels than this are read as a mistaken layout.
MAX_CHANNELS = 4
#: What the name of a set of the library datasets begins with.
PREFIX = "datasets:"


class Found(NamedTuple):
    """Images `(n, c, h, w)`, labels `(n,)`, the names of the classes, and how many of the last images are test images, if that is given."""

    images: Images
    labels: Labels
    names: tuple[str, ...]
    test: int = 0


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    return (str(error) or type(error).__name__).splitlines()[0]


def with_test(train: Found, test: Found, path: Path | str) -> Found:
    """Images to train on and test images as one. Raises InputError when they differ in shape or classes."""
    if train.images.shape[1:] != test.images.shape[1:]:
        raise InputError(f"{path}: training images are {train.images.shape[1:]}, test images {test.images.shape[1:]}: they must be alike")
    if train.names != test.names:
        raise InputError(f"{path}: training and test images have different classes: {len(train.names)} and {len(test.names)}")
    images, labels = joined([train.images, test.images]), np.concatenate([train.labels, test.labels])
    return Found(images, labels, train.names, len(test.labels))


def checked_labels(raw: npt.NDArray[np.generic], path: Path | str, names: Sequence[str] = ()) -> Labels:
    """Class numbers `(n,)` in which every class from 0 to the last one, that of the last of the `names` if given, has enough images."""
    if raw.ndim != 1 or raw.size == 0:
        raise InputError(f"{path}: labels must be a list of class numbers, one for each image, got an array of {raw.shape}")
    if raw.dtype.kind == "f" and np.isfinite(raw).all() and np.array_equal(raw, np.rint(raw)):
        raw = raw.astype(np.int64)
    if raw.dtype.kind not in "iu":
        raise InputError(f"{path}: labels must be whole numbers, got {raw.dtype} values such as {raw[0]!s}")
    low, high = int(raw.min()), int(raw.max())
    if low < 0:
        raise InputError(f"{path}: labels must not be negative, got {low}")
    if names and high >= len(names):
        raise InputError(f"{path}: label {high} is beyond the {len(names)} classes")
    if high >= raw.size:
        raise InputError(f"{path}: label {high} needs classes 0 to {high}, but there are only {raw.size} images")
    labels = raw.astype(np.int64)
    counts = np.bincount(labels, minlength=len(names))
    if len(counts) < 2:
        raise InputError(f"{path}: all images are of class 0: there is nothing to tell apart")
    rarest = int(counts.argmin())
    if counts[rarest] < MIN_IMAGES_PER_CLASS:
        raise InputError(
            f"{path}: class {f'{rarest} ({names[rarest]})' if names else rarest} has {counts[rarest]} images: "
            f"a split needs at least {MIN_IMAGES_PER_CLASS} of each class 0 to {len(counts) - 1}"
        )
    return labels
