"""Mini-batches out of images that live in memory, as bytes on the device that trains; they are augmented there, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from hwnas.data import Split
from hwnas.supernet import processes
from hwnas.supernet.recipe import Recipe
from hwnas.torch_tools import to_input

Rows = npt.NDArray[np.int64]

#: The largest number of bytes that the images of a set may take on the device that trains.
RESIDENT = 2**30


def batches_per_epoch(images: int, batch_size: int) -> int:
    """How many batches of nearly equal size, at least `batch_size`, hold `images`: no small rest whose statistics would be noise."""
    return max(1, images // batch_size)


class Feed:
    """The images of a split, and batches of them on a device: pixels 0..1 `(n, c, h, w)`, labels `(n,)`.

    Sets of up to `RESIDENT` bytes live on the device, larger ones come batch by batch. `rows` are the images of the split in use (all when
    None). With several processes each gets its part of every batch.
    """

    def __init__(self, split: Split, recipe: Recipe, device: torch.device, rows: Rows | None = None) -> None:
        home = device if split.images.nbytes <= RESIDENT else torch.device("cpu")
        self.images, self.labels = torch.from_numpy(split.images).to(home), torch.from_numpy(split.labels).to(home)
        self.rows = np.arange(len(split)) if rows is None else rows
        self.recipe, self.device = recipe, device

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return batches_per_epoch(len(self.rows), self.recipe.batch_size)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
        """Every image once in random order, augmented; the last number is the size of the whole batch."""
        for rows in np.array_split(rng.permutation(self.rows), self.batches):
            mine = processes.part(len(rows))
            moves = Moves(rng, len(rows), self.recipe, self.images.shape[-1])
            images, labels = self._at(rows[mine])
            yield to_input(moves.apply(images, mine)), labels, len(rows)

    def some(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A random batch as it is."""
        rows = rng.choice(self.rows, min(self.recipe.batch_size, len(self.rows)), replace=False)
        images, labels = self._at(rows[processes.part(len(rows))])
        return to_input(images), labels

    def _at(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        index = torch.from_numpy(rows).to(self.images.device)
        return self.images[index].to(self.device), self.labels[index].to(self.device)


class Moves:
    """How each of `n` images of a batch is augmented, drawn for the whole batch, whichever process has which image."""

    def __init__(self, rng: np.random.Generator, n: int, recipe: Recipe, side: int) -> None:
        self.shift, self.cutout = recipe.shift, recipe.cutout
        self.offsets = rng.integers(0, 2 * recipe.shift + 1, size=(2, n)) if recipe.shift else None
        self.mirrored = rng.random(n) < 0.5 if recipe.flip else None
        self.corners = rng.integers(-(recipe.cutout // 2), side - recipe.cutout // 2, size=(2, n)) if recipe.cutout else None

    def apply(self, images: torch.Tensor, part: slice) -> torch.Tensor:
        """The images of `part` of the batch, `(n, c, h, w)` uint8, moved, mirrored and cut."""
        if self.offsets is not None:
            images = shifted(images, self.shift, torch.from_numpy(self.offsets[:, part]).to(images.device))
        if self.mirrored is not None:
            mirrored = torch.from_numpy(self.mirrored[part]).to(images.device)
            images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        if self.corners is not None:
            images = without_square(images, self.cutout, torch.from_numpy(self.corners[:, part]).to(images.device))
        return images


def shifted(images: torch.Tensor, shift: int, offsets: torch.Tensor) -> torch.Tensor:
    """Every image moved by its own `offsets` `(2, n)`, 0 to twice `shift`, `shift` being none; zeros come in at the border."""
    height, width = images.shape[2:]
    windows = F.pad(images, (shift, shift, shift, shift)).unfold(2, height, 1).unfold(3, width, 1)  # (n, c, moves, moves, h, w)
    return windows[torch.arange(len(images), device=images.device), :, offsets[0], offsets[1]]


def without_square(images: torch.Tensor, side: int, corners: torch.Tensor) -> torch.Tensor:
    """Every image with a square of zeros whose first row and column are its own `corners` `(2, n)`; it may reach over the border."""
    rows, columns = (
        torch.arange(size, device=images.device)[None, :] - corner[:, None] for size, corner in zip(images.shape[2:], corners, strict=True)
    )
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    return images.masked_fill(inside[:, None], 0)


def held_out_rows(labels: npt.NDArray[np.int64], share: float) -> tuple[Rows, Rows]:
    """Rows to train on and rows kept apart, a `share` of every class; the same every time."""
    order = np.argsort(labels, kind="stable")
    steps = np.floor(np.arange(len(labels) + 1) * share)
    kept = np.diff(steps) > 0
    return np.sort(order[~kept]), np.sort(order[kept])
