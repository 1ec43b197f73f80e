"""Images with labels and their fixed split. No torch is imported here."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from hwnas.data.files import MAX_RESOLUTION, PREFIX, Found, Images, Labels
from hwnas.data.resizing import resize
from hwnas.data.room import chosen

__all__ = ["BUILT_IN", "Dataset", "Images", "Labels", "Split", "load", "resize"]

#: Data sets that need no file, and what they are.
BUILT_IN = {"digits": "1,797 handwritten digits of 8 x 8 pixels, 10 classes, 1 channel (scikit-learn)"}

#: Validation and test share of each class; training takes the rest.
HELD_OUT = (0.2, 0.2)


@dataclass(frozen=True, slots=True)
class Split:
    """Images `(n, c, h, w)` uint8 with labels `(n,)` int64."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Three splits of square images: search sees `validation`, only reports see `test`.

    `load(spec, resolution=resolution, seed=seed)` gives the same again.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    spec: str = ""
    seed: int = 0

    @property
    def channels(self) -> int:
        """Channels of every image."""
        return int(self.train.images.shape[1])

    @property
    def resolution(self) -> int:
        """Pixels of every side."""
        return int(self.train.images.shape[2])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def require(self, input_shape: tuple[int, int, int], classes: int, who: str) -> None:
        """Raises InputError, naming `who` and both sides, unless images are of `input_shape` (c, h, w) and there are as many classes."""
        shape = (self.channels, self.resolution, self.resolution)
        if (input_shape, classes) != (shape, self.classes):
            raise InputError(
                f"{who} is for {classes} classes of images {input_shape}, but {self.name} has {self.classes} classes of {shape}"
            )

    def summary(self) -> dict[str, Any]:
        """What a file that depends on the data records about them, as JSON."""
        return {
            "name": self.name, "spec": self.spec, "seed": self.seed, "sha256": self.sha256, "classes": list(self.class_names),
            "channels": self.channels, "resolution": self.resolution,
            "images": {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)},
        }  # fmt: skip

    @cached_property
    def sha256(self) -> str:
        """Digest of pixels, labels, class names and split: equal digests mean the same data."""
        digest = hashlib.sha256("\0".join(self.class_names).encode())
        for split in (self.train, self.validation, self.test):
            digest.update(repr(split.images.shape).encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels, dtype="<i8").data)
        return digest.hexdigest()


def load(spec: str | os.PathLike[str], *, resolution: int | None = None, seed: int = 0) -> Dataset:
    """The data set `spec`: a built-in name (`digits`), an `.npz` file, a folder of images, or `datasets:NAME`.

    A file holds `images`, `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)`, uint8 or float (0..1 or 0..255), `labels`, `(n,)` whole numbers
    from 0, and may hold `classes`, their names; in place of `images` it may hold `jpeg`, the bytes of picture files one after the other,
    and `offsets` `(n + 1,)`. A folder holds a folder of pictures per class; or `train` and `test` with such folders; or the binary files of
    CIFAR-10 or CIFAR-100; or two `.npz` files with train and test in their names. `datasets:NAME` or `datasets:NAME:CONFIG` is a
    set of pictures that the library datasets loads, by its name on the hub or from a folder.
    Images are resized to `resolution` (None: as they are; pictures that are not square lose their longer ends) and split 60 / 20 / 20
    within each class; where test images are given apart, the rest is split 80 / 20. The split depends on the data and the seed alone.
    Pixels that would take more than 2 GiB lie in a file for as long as they are used, in the folder for temporary files (TMPDIR).
    Raises InputError when the data cannot be used.
    """
    if resolution is not None and not 1 <= resolution <= MAX_RESOLUTION:
        raise InputError(f"resolution must be between 1 and {MAX_RESOLUTION}, got {resolution}")
    if seed < 0:
        raise InputError(f"seed must not be negative, got {seed}")
    text = os.fspath(spec)
    found = _find(text, resolution)
    images = found.images
    side = resolution or images.shape[2]
    if side != images.shape[2]:
        images = resize(images, side)
    train, validation, test = (Split(chosen(images, rows), found.labels[rows]) for rows in _split(found.labels, seed, found.test))
    name, lasting = _lasting(text)
    return Dataset(name, train, validation, test, found.names, lasting, seed)


def _lasting(text: str) -> tuple[str, str]:
    """A short name, and the text as it can be used from any folder."""
    if text in BUILT_IN:
        return text, text
    if not text.startswith(PREFIX):
        path = os.path.abspath(text)
        return Path(path).stem, path
    name, colon, config = text.removeprefix(PREFIX).partition(":")
    name = os.path.abspath(name) if os.path.isdir(name) else name
    return Path(name).name, f"{PREFIX}{name}{colon}{config}"


def _find(text: str, resolution: int | None) -> Found:
    from hwnas.data.arrays import read_npz
    from hwnas.data.folders import read_folder
    from hwnas.data.hub import read_hub

    if text in BUILT_IN:
        return _digits()
    if text.startswith(PREFIX):
        return read_hub(text, resolution)
    if os.path.isdir(text):
        return read_folder(Path(text), resolution)
    if text.endswith(".npz") or os.path.exists(text):
        return read_npz(Path(text), resolution)
    if os.sep in text:
        raise InputError(f"no such data file: {text}")
    raise unknown("data set", text, [*BUILT_IN, "a path ending in .npz", "a folder of images", f"{PREFIX}NAME"])


def _split(labels: Labels, seed: int, test: int = 0) -> tuple[npt.NDArray[np.int64], ...]:
    """Row numbers of training, validation and test, in the order of the data; the last `test` rows are test images already, if any."""
    rng = np.random.default_rng(seed)
    given, labels = np.arange(len(labels) - test, len(labels)), labels[: len(labels) - test]
    parts: tuple[list[npt.NDArray[np.int64]], ...] = ([], [], [])
    for label in range(int(labels.max()) + 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        n_validation, n_test = (max(1, round(share * len(rows))) for share in HELD_OUT)
        n_test = 0 if test else n_test
        for part, own in zip(parts, np.split(rows, [len(rows) - n_validation - n_test, len(rows) - n_test]), strict=True):
            part.append(own)
    found = tuple(np.sort(np.concatenate(part)) for part in parts)
    return (*found[:2], given) if test else found


def _digits() -> Found:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError("the digits data come with scikit-learn: pip install scikit-learn, or give the path of an .npz file") from error
    raw = load_digits()
    images = np.rint(raw.images[:, None] * (255 / 16)).astype(np.uint8)
    return Found(images, raw.target.astype(np.int64), tuple(str(i) for i in range(10)))
