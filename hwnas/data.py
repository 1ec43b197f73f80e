"""Images with labels and their fixed split. No torch is imported here."""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown

#: Images of `(n, c, h, w)` pixels 0..255.
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

#: Data sets that need no file, and what they are.
BUILT_IN = {"digits": "1,797 handwritten digits of 8 x 8 pixels, 10 classes, 1 channel (scikit-learn)"}

#: A class needs this many images so that each of the three splits gets one.
MIN_IMAGES_PER_CLASS = 5
#: Larger sides are refused: this is a toolkit for images that fit in memory.
MAX_RESOLUTION = 1024
#: Largest number of bytes read from one file, and of pixels after resizing.
MAX_BYTES = 4 * 1024**3
#: More channels than this are read as a mistaken layout.
MAX_CHANNELS = 4
# What zipfile and numpy raise for files that are no archives, cut short, encrypted, packed in unknown ways, or full of objects.
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, RuntimeError, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile)

#: Pixels that are resized at a time.
PIECE = 2**24
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
    """The data set `spec`: a built-in name (`digits`) or the path of an `.npz` file.

    A file holds `images`, `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)`, uint8 or float (0..1 or 0..255), `labels`, `(n,)` whole numbers
    from 0, and may hold `classes`, their names. Images are resized to `resolution` (None: as they are) and split 60 / 20 / 20 within each
    class; the split depends on the data and the seed alone. Raises InputError when the data cannot be used.
    """
    if resolution is not None and not 1 <= resolution <= MAX_RESOLUTION:
        raise InputError(f"resolution must be between 1 and {MAX_RESOLUTION}, got {resolution}")
    if seed < 0:
        raise InputError(f"seed must not be negative, got {seed}")
    text = os.fspath(spec)
    if text in BUILT_IN:
        name, (images, labels, names) = text, _digits()
    elif text.endswith(".npz") or os.path.exists(text):
        name, (images, labels, names) = Path(text).stem, _npz(Path(text))
    elif os.sep in text:
        raise InputError(f"no such data file: {text}")
    else:
        raise unknown("data set", text, [*BUILT_IN, "a path ending in .npz"])
    side = resolution or images.shape[2]
    if images.shape[0] * images.shape[1] * side * side > MAX_BYTES:
        raise InputError(f"{text}: {len(images)} images of {side} x {side} pixels are more than {MAX_BYTES} bytes: lower the resolution")
    if side != images.shape[2]:
        images = resize(images, side)
    train, validation, test = (Split(images[rows], labels[rows]) for rows in _split(labels, seed))
    return Dataset(name, train, validation, test, names, text if text in BUILT_IN else os.path.abspath(text), seed)


def resize(images: Images, side: int) -> Images:
    """Images `(n, c, h, w)` at `(n, c, side, side)`, bilinear; when shrinking, the filter widens so that no pixel is skipped."""
    _, _, height, width = images.shape
    rows, columns = _bilinear(height, side), _bilinear(width, side)
    result = np.empty((*images.shape[:2], side, side), dtype=np.uint8)
    step = max(1, PIECE // max(1, math.prod(images.shape[1:]), images.shape[1] * side * side))
    for start in range(0, len(images), step):  # in pieces: the float copies would not fit for a large set
        piece = rows @ images[start : start + step].astype(np.float32) @ columns.T
        result[start : start + step] = np.rint(np.clip(piece, 0, 255))
    return result


def _bilinear(old: int, new: int) -> npt.NDArray[np.float32]:
    """The matrix `(new, old)` of a triangle filter; pixel centres at half positions, weights of each row sum to 1."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old)[None, :] - centres[:, None]) / max(1.0, scale))
    matrix: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def _split(labels: Labels, seed: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Row numbers of training, validation and test, in the order of the data."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[npt.NDArray[np.int64]], ...] = ([], [], [])
    for label in range(int(labels.max()) + 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        n_validation, n_test = (max(1, round(share * len(rows))) for share in HELD_OUT)
        for part, chosen in zip(parts, np.split(rows, [len(rows) - n_validation - n_test, len(rows) - n_test]), strict=True):
            part.append(chosen)
    return tuple(np.sort(np.concatenate(part)) for part in parts)


def _digits() -> tuple[Images, Labels, tuple[str, ...]]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError("the digits data come with scikit-learn: pip install scikit-learn, or give the path of an .npz file") from error
    raw = load_digits()
    images = np.rint(raw.images[:, None] * (255 / 16)).astype(np.uint8)
    return images, raw.target.astype(np.int64), tuple(str(i) for i in range(10))


def _npz(path: Path) -> tuple[Images, Labels, tuple[str, ...]]:
    arrays = _read(path)
    missing = [name for name in ("images", "labels") if name not in arrays]
    if missing:
        raise InputError(f"{path}: has no array {' and '.join(map(repr, missing))}; it holds {', '.join(sorted(arrays)) or 'nothing'}")
    images, labels = _images(arrays["images"], path), _labels(arrays["labels"], path)
    if len(images) != len(labels):
        raise InputError(f"{path}: {len(images)} images but {len(labels)} labels: there must be one label for each image")
    return images, labels, _names(arrays.get("classes"), int(labels.max()) + 1, path)


def _read(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of interest in an .npz file; sizes are looked up before anything is unpacked."""
    if not path.is_file():
        raise InputError(f"no such data file: {path}" if not path.exists() else f"{path} is not a file: give the path of an .npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise InputError(f"{path}: holds {size} bytes, more than the {MAX_BYTES} that are read from one file")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in ("images", "labels", "classes") if name in arrays.files}
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file with plain arrays ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _images(raw: npt.NDArray[np.generic], path: Path) -> Images:
    """Pixels as `(n, c, h, w)` uint8."""
    if raw.ndim == 3:
        raw = raw[:, None]
    elif raw.ndim == 4 and raw.shape[1] == raw.shape[2] and raw.shape[3] <= MAX_CHANNELS:
        raw = raw.transpose(0, 3, 1, 2)
    if raw.ndim != 4 or raw.size == 0:
        raise InputError(f"{path}: images must be (n, h, w), (n, h, w, c) or (n, c, h, w), got {raw.shape}")
    if raw.shape[1] > MAX_CHANNELS or raw.shape[2] != raw.shape[3]:
        raise InputError(f"{path}: images must be square with at most {MAX_CHANNELS} channels, got an array of {raw.shape}")
    if raw.shape[2] > MAX_RESOLUTION:
        raise InputError(f"{path}: images of {raw.shape[2]} x {raw.shape[3]} pixels are larger than {MAX_RESOLUTION} x {MAX_RESOLUTION}")
    return np.ascontiguousarray(_pixels(raw, path))


def _pixels(raw: npt.NDArray[np.generic], path: Path) -> Images:
    """The same values as uint8: floats of 0..1 are scaled to 0..255, floats of 0..255 are rounded."""
    if raw.dtype == np.uint8:
        return raw.astype(np.uint8, copy=False)
    if raw.dtype.kind not in "fiu":
        raise InputError(f"{path}: images must be uint8 or float, got {raw.dtype}")
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise InputError(f"{path}: images contain NaN or infinite values")
    low, high = float(raw.min()), float(raw.max())
    if low < 0 or high > 255:
        raise InputError(f"{path}: pixels must lie between 0 and 1 or between 0 and 255, got {low:g} to {high:g}")
    scale = 255.0 if raw.dtype.kind == "f" and high <= 1 else 1.0
    pixels: Images = np.rint(raw.astype(np.float32) * scale).astype(np.uint8)
    return pixels


def _labels(raw: npt.NDArray[np.generic], path: Path) -> Labels:
    """Class numbers `(n,)` in which every class from 0 to the last one has enough images."""
    if raw.ndim != 1 or raw.size == 0:
        raise InputError(f"{path}: labels must be a list of class numbers, one for each image, got an array of {raw.shape}")
    if raw.dtype.kind == "f" and np.isfinite(raw).all() and np.array_equal(raw, np.rint(raw)):
        raw = raw.astype(np.int64)
    if raw.dtype.kind not in "iu":
        raise InputError(f"{path}: labels must be whole numbers, got {raw.dtype} values such as {raw[0]!s}")
    low, high = int(raw.min()), int(raw.max())
    if low < 0:
        raise InputError(f"{path}: labels must not be negative, got {low}")
    if high >= raw.size:
        raise InputError(f"{path}: label {high} needs classes 0 to {high}, but there are only {raw.size} images")
    labels = raw.astype(np.int64)
    counts = np.bincount(labels)
    if len(counts) < 2:
        raise InputError(f"{path}: all images are of class 0: there is nothing to tell apart")
    rarest = int(counts.argmin())
    if counts[rarest] < MIN_IMAGES_PER_CLASS:
        raise InputError(
            f"{path}: class {rarest} has {counts[rarest]} images: a split needs at least {MIN_IMAGES_PER_CLASS} of each class 0 to {high}"
        )
    return labels


def _names(raw: npt.NDArray[np.generic] | None, classes: int, path: Path) -> tuple[str, ...]:
    """The names of the classes, their numbers when the file has none."""
    if raw is None:
        return tuple(str(i) for i in range(classes))
    if raw.shape != (classes,):
        raise InputError(f"{path}: labels name {classes} classes but 'classes' is an array of {raw.shape}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in raw.tolist())
