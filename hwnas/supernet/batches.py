"""Mini-batches out of images that live in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from hwnas.data import Images, Split
from hwnas.torch_tools import to_input


def batches_per_epoch(images: int, batch_size: int) -> int:
    """How many batches of nearly equal size, at least `batch_size`, hold `images`: no small rest whose statistics would be noise."""
    return max(1, images // batch_size)


def batches(split: Split, batch_size: int, rng: np.random.Generator, shift: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch in random order: pixels 0..1 `(n, c, h, w)` and labels `(n,)`, each image moved by up to `shift` pixels both ways."""
    order = rng.permutation(len(split))
    for rows in np.array_split(order, batches_per_epoch(len(split), batch_size)):
        yield to_input(shifted(split.images[rows], shift, rng)), torch.from_numpy(split.labels[rows])


def shifted(images: Images, shift: int, rng: np.random.Generator) -> Images:
    """Every image moved by its own random offset of at most `shift` pixels in each direction; zeros come in at the border."""
    if shift == 0:
        return images
    n, _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (shift, shift), (shift, shift)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))  # (n, c, 2 shift + 1, 2 shift + 1, h, w)
    offsets: npt.NDArray[np.int64] = rng.integers(0, 2 * shift + 1, size=(2, n))
    return windows[np.arange(n), :, offsets[0], offsets[1]]
