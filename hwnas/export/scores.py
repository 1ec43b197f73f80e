"""What an ONNX file computes in onnxruntime, image by image: logits, and which images it gets right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError
from device_profiles.quantity import Quantity
from hwnas.accuracy.interval import wilson
from hwnas.data import Images, Split
from hwnas.data.resizing import bilinear

Pixels = npt.NDArray[np.float32]
Right = npt.NDArray[np.bool_]

#: Standard normal quantile of a 90 % interval.
_Z = 1.6448536


class Scores(NamedTuple):
    """Shares of images classified right (0..1) by one network and by another, and the difference, second minus first."""

    before: Quantity
    after: Quantity
    change: Quantity


def pixels_of(images: Images, side: int) -> Pixels:
    """Images `(n, c, h, w)` 0..255 as a network of `side` takes them, `(n, c, side, side)` of 0..1: as the super-network resizes them."""
    pixels = images.astype(np.float32) / np.float32(255)
    if images.shape[2] == side:
        return pixels
    matrix = bilinear(images.shape[2], side)
    return np.ascontiguousarray(matrix @ pixels @ matrix.T)


def logits(model: bytes, pixels: Pixels) -> Pixels:
    """Outputs `(n, classes)` for pixels `(n, c, h, w)`, one image at a time. Raises DeviceError when onnxruntime refuses the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        found = [session.run(["logits"], {"input": image[None]})[0] for image in pixels]
    except Exception as error:  # onnxruntime's errors have no common base of their own
        raise DeviceError(f"onnxruntime cannot run the exported model: {str(error).splitlines()[0]}") from error
    return np.concatenate(found).astype(np.float32)


def largest_difference(model: bytes, pixels: Pixels, expected: Pixels) -> float:
    """The largest absolute difference between onnxruntime's outputs for pixels `(n, c, h, w)` and `expected`, `(n, classes)`.

    NaN when either has NaN. Raises DeviceError when onnxruntime refuses the model.
    """
    return float(np.abs(logits(model, pixels) - expected).max())


def right(model: bytes, split: Split, side: int) -> Right:
    """Which images of a split the model classifies right, `(n,)`."""
    step = max(1, 2**24 // (split.images.shape[1] * side * side))  # a large split would not fit as floats
    pieces = range(0, len(split), step)
    classes = [logits(model, pixels_of(split.images[start : start + step], side)).argmax(axis=1) for start in pieces]
    return np.asarray(np.concatenate(classes) == split.labels)


def compared(before: Right, after: Right) -> Scores:
    """The accuracies of two networks on the same images, and their difference, with 90 % intervals."""
    return Scores(share(before), share(after), _change(before, after))


def share(found: Right) -> Quantity:
    """The share of true entries with its Wilson interval."""
    count = int(found.sum())
    low, high = wilson([count], len(found))
    return Quantity(count / len(found), float(low[0]), float(high[0]), "measured")


def _change(before: Right, after: Right) -> Quantity:
    """Difference of two shares of the same images; only images on which the networks disagree tell anything.

    Agresti and Min, Simple improved confidence intervals for comparing matched proportions, Statistics in Medicine 2005: half an image is
    added to each cell of the table.
    """
    gained, lost, n = float((after & ~before).sum()) + 0.5, float((before & ~after).sum()) + 0.5, len(before) + 2.0
    centre = (gained - lost) / n
    half = _Z * np.sqrt(gained + lost - (gained - lost) ** 2 / n) / n
    value = float(after.mean() - before.mean())
    return Quantity(value, min(value, float(centre - half)), max(value, float(centre + half)), "measured")
