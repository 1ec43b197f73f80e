"""Mini-batches: every image once, moved a little."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from hwnas.data import Dataset
from hwnas.supernet.batches import batches, batches_per_epoch, shifted


def test_an_epoch_has_every_image_once_in_an_order_of_the_generator(digits: Dataset) -> None:
    def epoch(seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(batches(digits.train, 100, np.random.default_rng(seed)))

    first, again, other = epoch(0), epoch(0), epoch(1)
    assert len(first) == batches_per_epoch(len(digits.train), 100) == 10
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    images = np.rint(torch.cat([x for x, _ in first]).numpy() * 255).astype(np.uint8)
    pairs = sorted((image.tobytes(), int(label)) for image, label in zip(images, torch.cat([y for _, y in first]), strict=True))
    assert pairs == sorted((image.tobytes(), int(label)) for image, label in zip(digits.train.images, digits.train.labels, strict=True))


@given(images=st.integers(2, 5000), size=st.integers(2, 300))
def test_no_batch_is_small(images: int, size: int) -> None:
    sizes = [len(part) for part in np.array_split(np.arange(images), batches_per_epoch(images, size))]
    assert min(sizes) >= min(size, images)
    assert max(sizes) < 2 * size or images < size


def test_shifts_move_whole_images_and_fill_with_zeros() -> None:
    images = np.zeros((300, 2, 5, 5), np.uint8)
    images[:, :, 2, 2] = np.arange(1, 301)[:, None] % 255 + 1
    moved = shifted(images, 2, np.random.default_rng(0))
    assert moved.shape == images.shape
    assert np.array_equal(moved.max((2, 3)), images.max((2, 3)))
    assert np.array_equal((moved > 0).sum((1, 2, 3)), np.full(300, 2))
    places = {(int(y), int(x)) for y, x in zip(*np.nonzero(moved[:, 0].max(0)), strict=True)}
    assert len(places) == 25  # every offset of -2..2 in both directions occurs
    assert np.array_equal(shifted(images, 0, np.random.default_rng(0)), images)
