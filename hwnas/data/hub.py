"""Any image-classification set of the `datasets` library, by its name on the hub or from a folder that the library reads."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.data.files import PREFIX, Found, Images, Labels, checked_labels, first_line, with_test
from hwnas.data.pictures import Picture, read_pictures

#: Splits that are taken for test images, the first whose labels are known.
_TEST = ("test", "validation", "valid", "val")
#: Features of text in the library's words.
_TEXT = ("string", "large_string")


def read_hub(text: str, resolution: int | None) -> Found:
    """The images of `datasets:NAME` or `datasets:NAME:CONFIG`, where NAME may be a folder (of pictures, parquet files, a saved set, ...).

    The column of pictures and that of classes are found by their kinds; of several columns of classes the finest counts. Raises InputError
    when the library is not there, does not find or cannot read the set, or the set is not one of pictures with classes.
    """
    name, _, config = text.removeprefix(PREFIX).partition(":")
    splits = _open(name, config or None)
    train = splits.get("train")
    if train is None and len(splits) == 1:
        train = next(iter(splits.values()))
    if train is None:
        raise InputError(f"{text}: there is no split train; it has {', '.join(splits)}")
    column, (labels, names) = _picture_column(train, text), _labels(train, text)
    checked = checked_labels(labels, text, names)
    found = Found(_images(train, column, resolution, text), checked, names or tuple(map(str, range(int(checked.max()) + 1))))
    for other in (splits[split] for split in _TEST if split in splits and splits[split] is not train):
        test_labels = _labels(other, text, found.names)[0]
        if len(test_labels) and test_labels.min() >= 0:  # a hidden label is -1
            images = _images(other, column, resolution, text, found.images.shape[1])
            return with_test(found, Found(images, _within(test_labels, found.names, text), found.names), text)
    return found


def _open(name: str, config: str | None) -> dict[str, Any]:
    """The splits by name."""
    try:
        import datasets
    except ImportError as error:
        raise InputError(f"{PREFIX}{name} needs the library datasets: pip install 'hwnas[data]'") from error
    try:
        if any(os.path.exists(os.path.join(name, file)) for file in ("dataset_dict.json", "state.json")):
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(name, config)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, NotImplementedError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"{PREFIX}{name}: the library datasets cannot load it: {first_line(error.__cause__ or error)}") from error
    return dict(found) if isinstance(found, dict) else {"train": found}


def _picture_column(split: Any, text: str) -> str:
    """The one column of pictures: of the library's own kind, or of their bytes."""
    kinds = {name: getattr(feature, "_type", "") for name, feature in split.features.items()}
    found = [name for name, kind in kinds.items() if kind == "Image"]
    found = found or [name for name, feature in split.features.items() if isinstance(feature, dict) and "bytes" in feature]
    if len(found) != 1:
        raise InputError(f"{text}: one column of pictures is needed, found {', '.join(found) or 'none'} among {', '.join(split.features)}")
    return str(found[0])


def _labels(split: Any, text: str, names: Sequence[str] = ()) -> tuple[Labels, tuple[str, ...]]:
    """Class numbers `(n,)` and the names of the classes, none where there are numbers only; texts are of `names`, if given."""
    kinds = {name: feature.names for name, feature in split.features.items() if getattr(feature, "_type", "") == "ClassLabel"}
    if kinds:
        column = max(kinds, key=lambda name: len(kinds[name]))
        return _numbers(split[column][:], text), tuple(kinds[column])
    column = next((name for name in ("label", "labels") if name in split.features), "")
    if not column:
        raise InputError(f"{text}: no column of classes: one called label is needed; it has {', '.join(split.features)}")
    values = split[column][:]
    if getattr(split.features[column], "dtype", "") not in _TEXT:
        return _numbers(values, text), ()
    known = tuple(names) or tuple(sorted({value for value in values if value is not None}))
    place = {value: index for index, value in enumerate(known)}
    odd = next((value for value in values if value not in place), None)
    if None in values or odd is not None:
        raise InputError(f"{text}: the class {odd!r} of an image is none of {', '.join(known[:10])}")
    return np.array([place[value] for value in values], dtype=np.int64), known


def _numbers(values: Sequence[Any], text: str) -> Labels:
    if any(not isinstance(value, int) for value in values):
        odd = next(value for value in values if not isinstance(value, int))
        raise InputError(f"{text}: every image needs a whole class number, one has {odd!r}")
    return np.array(values, dtype=np.int64)


def _within(labels: Labels, names: Sequence[str], text: str) -> Labels:
    if labels.max() >= len(names):
        raise InputError(f"{text}: label {labels.max()} of a test image is beyond the {len(names)} classes")
    return labels


def _images(split: Any, column: str, resolution: int | None, text: str, channels: int = 1) -> Images:
    """All pictures `(n, c, side, side)`, with at least so many channels."""
    import datasets

    packed = split.cast_column(column, datasets.Image(decode=False))
    pictures = [Picture(f"{text}, image {i}", partial(_picture, packed, column, i)) for i in range(len(packed))]
    images = read_pictures(pictures, resolution)
    return np.repeat(images, channels, axis=1) if images.shape[1] == 1 < channels else images


def _picture(packed: Any, column: str, index: int) -> io.IOBase:
    """The file of one picture. Raises ValueError when there is none."""
    entry: dict[str, Any] | None = packed[index][column]
    if entry is None or (entry.get("bytes") is None and entry.get("path") is None):
        raise ValueError("there is no picture")
    return io.BytesIO(entry["bytes"]) if entry.get("bytes") is not None else io.FileIO(entry["path"])
