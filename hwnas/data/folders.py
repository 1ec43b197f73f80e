"""Folders of images: a folder per class, the binary files of CIFAR, or a pair of `.npz` files."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import numpy as np

from device_profiles.errors import InputError
from hwnas.data.arrays import read_npz
from hwnas.data.files import Found, checked_labels, with_test
from hwnas.data.pictures import Picture, read_pictures

#: Endings of files that are taken for pictures.
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
#: Names of the folder with test images, the first that is there.
_TEST = ("test", "val", "validation")
#: The binary files of CIFAR: training, test, bytes of labels before each image, and the file with the names of classes.
_CIFAR = (
    ([f"data_batch_{i}.bin" for i in range(1, 6)], "test_batch.bin", 1, "batches.meta.txt"),
    (["train.bin"], "test.bin", 2, "fine_label_names.txt"),
)
_PIXELS = 3 * 32 * 32


def read_folder(path: Path, resolution: int | None) -> Found:
    """The images of a folder, whichever kind it is. Raises InputError, naming the file or class that cannot be used."""
    for train, test, labels, names in _CIFAR:
        if (path / train[0]).is_file():
            return _cifar(path, train, test, labels, names)
    if (path / "data_batch_1").is_file() or (path / "fine_label_names").is_file() or (path / "meta").is_file():
        raise InputError(
            f"{path}: the Python version of CIFAR is a pickle, and no pickle is loaded: take the binary version of the same set"
        )
    archives = {word: sorted(path.glob(f"*{word}*.npz")) for word in ("train", "test")}
    if all(len(files) == 1 for files in archives.values()):
        train_set, test_set = (read_npz(archives[word][0], resolution) for word in ("train", "test"))
        return with_test(train_set, test_set, path)
    if (path / "train").is_dir():
        test_folder = next((path / name for name in _TEST if (path / name).is_dir()), None)
        train_found = _classes(path / "train", resolution)
        return train_found if test_folder is None else with_test(train_found, _classes(test_folder, resolution, train_found), path)
    return _classes(path, resolution)


def _classes(path: Path, resolution: int | None, like: Found | None = None) -> Found:
    """A folder of pictures per class; `like` are the training images of the same set."""
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    if len(folders) < 2:
        raise InputError(f"{path}: a folder of images needs a folder for each class, two or more; it has {len(folders)}")
    pictures: list[Picture] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
        if not files:
            raise InputError(f"{folder}: no picture in this class: add some, or remove the folder")
        pictures += [Picture(str(file), partial(io.FileIO, file)) for file in files]
        labels += [label] * len(files)
    checked = np.array(labels) if like is not None else checked_labels(np.array(labels), path)
    images = read_pictures(pictures, resolution)
    if like is not None and images.shape[1] == 1 and like.images.shape[1] == 3:
        images = np.repeat(images, 3, axis=1)
    return Found(images, checked, tuple(folder.name for folder in folders))


def _cifar(path: Path, train: list[str], test: str, labels: int, names: str) -> Found:
    """Rows of one or two labels (of two the second, the finer one, counts) and 3 x 32 x 32 pixels."""
    parts = []
    for name in (*train, test):
        file = path / name
        if not file.is_file():
            raise InputError(f"{path}: {name} is missing; the files of CIFAR belong together")
        raw = np.fromfile(file, dtype=np.uint8)
        if not raw.size or raw.size % (labels + _PIXELS):
            raise InputError(
                f"{file}: {raw.size} bytes are no whole number of images of {labels + _PIXELS} bytes: it is cut short or not of CIFAR"
            )
        parts.append(raw.reshape(-1, labels + _PIXELS))
    rows = np.concatenate(parts)
    classes = 10 if labels == 1 else 100
    found = rows[:, labels - 1].astype(np.int64)
    if found.max() >= classes:
        raise InputError(f"{path}: label {found.max()} is beyond the {classes} classes of CIFAR-{classes}")
    listed = (path / names).read_text(encoding="utf-8").split() if (path / names).is_file() else []
    named = tuple(listed) if len(listed) == classes else tuple(str(i) for i in range(classes))
    return Found(rows[:, labels:].reshape(-1, 3, 32, 32), found, named, len(parts[-1]))
