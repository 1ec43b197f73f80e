"""The values of a layer in a batch of different sub-nets, without those that no image has.

A sub-net has the first channels of every layer, more or fewer of them. With the images in the order of falling numbers of channels, those
between two of these numbers belong to the first images only: a full rectangle of channels and images, a band. All bands lie one after the
other in one array of rows, a row being one channel of one image.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Ints = npt.NDArray[np.int64]

#: Values that may be computed for nothing so that two bands become one: the operations of a band take time to start.
PADDING = 2**13
#: The number of rows is filled up so that its first bits alone differ: for every new number oneDNN compiles its convolutions anew.
BITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Channels `low` to `high` of `number` images from `first` on; their rows begin at `row`, the images of a channel side by side.

    `mask` `(channels, images, 1)` is 1 where an image has a channel, else 0; None where every image has all of them.
    """

    low: int
    high: int
    first: int
    number: int
    row: int
    mask: torch.Tensor | None = None

    @property
    def channels(self) -> slice:
        """Where its channels lie among all."""
        return slice(self.low, self.high)

    @property
    def images(self) -> slice:
        """Where its images lie among all."""
        return slice(self.first, self.first + self.number)

    @property
    def end(self) -> int:
        """The row behind its last one."""
        return self.row + (self.high - self.low) * self.number

    def of(self, rows: torch.Tensor) -> torch.Tensor:
        """Its part of `rows` `(rows, values)`, as a view `(channels, images * values)`."""
        return rows[self.row : self.end].view(self.high - self.low, -1)

    def masked(self, values: torch.Tensor) -> torch.Tensor:
        """Its values `(channels, images * values)` with 0 where an image has no such channel; the same tensor where all have all."""
        return values if self.mask is None else (values.view(len(values), self.number, -1) * self.mask).view_as(values)

    def clear(self, values: torch.Tensor) -> None:
        """The same in place."""
        if self.mask is not None:
            values.view(len(values), self.number, -1).mul_(self.mask)


def lay_out(numbers: Ints, values: int, like: torch.Tensor, first: int = 0, row: int = 0) -> list[Band]:
    """The bands of images with `numbers` `(n,)` of channels, falling, and so many values in a row; they begin at image `first`, row `row`.

    Neighbouring bands are one, with a mask, as long as that adds no more than `PADDING` values.
    """
    if not len(numbers):
        return []
    edges = np.unique(numbers).tolist()
    cuts, wasted = [0], 0
    for edge, following in itertools.pairwise(edges):
        wasted += (following - edge) * values * (_with(numbers, cuts[-1]) - _with(numbers, edge))
        if wasted > PADDING:
            cuts.append(edge)
            wasted = 0
    bands: list[Band] = []
    for low, high in itertools.pairwise([*cuts, edges[-1]]):
        having = numbers[: _with(numbers, low)]
        bands.append(Band(low, high, first, len(having), bands[-1].end if bands else row, _mask(having, low, high, like)))
    return bands


def whole(numbers: Ints, channels: int, like: torch.Tensor) -> Band:
    """All of the first `channels` of images in any order, of which each has `numbers` `(n,)`."""
    return Band(0, channels, 0, len(numbers), 0, _mask(numbers, 0, channels, like))


def _with(numbers: Ints, channel: int) -> int:
    """How many images have more channels than this."""
    return int(np.count_nonzero(numbers > channel))


def _mask(numbers: Ints, low: int, high: int, like: torch.Tensor) -> torch.Tensor | None:
    inside = np.arange(low, high)[:, None] < numbers
    return None if inside.all() else torch.from_numpy(inside).to(like)[:, :, None]


def counts(numbers: Ints, channels: int, like: torch.Tensor) -> torch.Tensor:
    """How many images have each of the first `channels`, but 1 where none has, `(channels,)`."""
    return torch.from_numpy((numbers[:, None] > np.arange(channels)).sum(axis=0).clip(1)).to(like)


def places(bands: Sequence[Band]) -> tuple[Ints, Ints]:
    """Channel and image of every row of the bands, each `(rows,)`."""
    channels = [np.repeat(np.arange(band.low, band.high), band.number) for band in bands]
    images = [np.tile(np.arange(band.first, band.first + band.number), band.high - band.low) for band in bands]
    return np.concatenate(channels), np.concatenate(images)


def filled(rows: int) -> int:
    """A number of rows from `rows` on of which there are few: it is a whole number of its highest bit's `2 ** (1 - BITS)`."""
    step = 1 << max(0, rows.bit_length() - BITS)
    return -(-rows // step) * step
