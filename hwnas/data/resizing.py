"""Images at another size."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hwnas.data.files import Images
from hwnas.data.room import room

#: Pixels that are resized at a time.
PIECE = 2**24


def resize(images: Images, side: int) -> Images:
    """Images `(n, c, h, w)` at `(n, c, side, side)`, bilinear; when shrinking, the filter widens so that no pixel is skipped."""
    _, _, height, width = images.shape
    rows, columns = bilinear(height, side), bilinear(width, side)
    result = room((*images.shape[:2], side, side))
    step = max(1, PIECE // max(1, math.prod(images.shape[1:]), images.shape[1] * side * side))
    for start in range(0, len(images), step):  # in pieces: the float copies would not fit for a large set
        piece = rows @ images[start : start + step].astype(np.float32) @ columns.T
        result[start : start + step] = np.rint(np.clip(piece, 0, 255))
    return result


@lru_cache(maxsize=64)
def bilinear(old: int, new: int) -> npt.NDArray[np.float32]:
    """The matrix `(new, old)` of a triangle filter; pixel centres at half positions, weights of each row sum to 1."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old)[None, :] - centres[:, None]) / max(1.0, scale))
    matrix: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix
