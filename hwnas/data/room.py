"""Where the pixels of a set lie: in memory, or, when they are many, in a file that goes away with them."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError, InputError

Pixels = npt.NDArray[np.uint8]

#: Sets of more bytes than this lie in a file.
IN_MEMORY = 2**31
#: Bytes that are copied at a time.
PIECE = 2**26


def room(shape: tuple[int, ...]) -> Pixels:
    """Room for images `(n, c, h, w)`: in memory, or beyond `IN_MEMORY` bytes in a file without a name in the folder for temporary files.

    The system reads its pages when they are looked at and takes the disk back when the array is gone. Raises InputError when the disk has
    too little left, DeviceError when it fails.
    """
    size = math.prod(shape)
    if size <= IN_MEMORY:
        return np.empty(shape, dtype=np.uint8)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{size / 1e9:.1f} GB of pixels do not fit into {folder}, which has {free / 1e9:.1f} GB left: lower the resolution, "
            "or name a folder with more room in TMPDIR"
        )
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), size)
            return np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)
    except OSError as error:
        raise DeviceError(f"cannot keep {size / 1e9:.1f} GB of pixels in {folder}: {error.strerror or error}") from error


def _reserve(file: int, size: int) -> None:
    """Takes the room on the disk now: a page without room would end the process when it is written."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)


def chosen(images: Pixels, rows: npt.NDArray[np.int64]) -> Pixels:
    """The images of these rows."""
    result = room((len(rows), *images.shape[1:]))
    step = _step(images)
    for start in range(0, len(rows), step):
        result[start : start + step] = images[rows[start : start + step]]
    return result


def joined(parts: Sequence[Pixels]) -> Pixels:
    """Pixels of equal shape, one part after the other."""
    result = room((sum(map(len, parts)), *parts[0].shape[1:]))
    first = 0
    for part in parts:
        step = _step(part)
        for start in range(0, len(part), step):
            piece = part[start : start + step]
            result[first + start : first + start + len(piece)] = piece
        first += len(part)
    return result


def _step(images: Pixels) -> int:
    """How many images are copied at a time."""
    return max(1, PIECE // max(1, math.prod(images.shape[1:])))
