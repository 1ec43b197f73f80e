"""Mini-batches: every image once, augmented in batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hwnas.data import Dataset
from hwnas.supernet import batches
from hwnas.supernet.batches import Feed, Moves, batches_per_epoch, held_out_rows, shifted, without_square
from hwnas.supernet.recipe import Recipe

CPU = torch.device("cpu")


def test_an_epoch_has_every_image_once_in_an_order_of_the_generator(digits: Dataset) -> None:
    feed = Feed(digits.train, Recipe(batch_size=100, shift=0), CPU)
    first, again, other = (list(feed.epoch(np.random.default_rng(seed))) for seed in (0, 0, 1))
    assert len(first) == batches_per_epoch(len(digits.train), 100) == feed.batches == 10
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    assert all(len(labels) == size for _, labels, size in first)
    images = np.rint(torch.cat([x for x, _, _ in first]).numpy() * 255).astype(np.uint8)
    pairs = sorted((image.tobytes(), int(label)) for image, label in zip(images, torch.cat([y for _, y, _ in first]), strict=True))
    assert pairs == sorted((image.tobytes(), int(label)) for image, label in zip(digits.train.images, digits.train.labels, strict=True))


@given(images=st.integers(2, 5000), size=st.integers(2, 300))
def test_no_batch_is_small(images: int, size: int) -> None:
    sizes = [len(part) for part in np.array_split(np.arange(images), batches_per_epoch(images, size))]
    assert min(sizes) >= min(size, images)
    assert max(sizes) < 2 * size or images < size


def dots(n: int) -> torch.Tensor:
    images = torch.zeros(n, 2, 5, 5, dtype=torch.uint8)
    images[:, :, 2, 1] = (torch.arange(n) % 255 + 1).to(torch.uint8)[:, None]
    return images


def test_shifts_move_whole_images_and_fill_with_zeros() -> None:
    images = dots(300)
    offsets = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (2, 300)))
    moved = shifted(images[..., :].clone(), 2, offsets)
    places = {(int(y), int(x)) for _, y, x in (moved[:, 0] > 0).nonzero()}
    assert moved.shape == images.shape
    assert torch.equal(shifted(images, 2, torch.full((2, 300), 2)), images)
    assert {y for y, _ in places} == {0, 1, 2, 3, 4}
    assert int((moved > 0).sum(dim=(1, 2, 3)).max()) == 2


def test_every_augmentation_is_drawn_for_each_image_and_the_parts_of_a_batch_are_those_of_the_whole() -> None:
    images, recipe = dots(200), Recipe(shift=1, flip=True, cutout=2)
    whole = Moves(np.random.default_rng(1), 200, recipe, 5).apply(images, slice(0, 200))
    moves = Moves(np.random.default_rng(1), 200, recipe, 5)
    halves = torch.cat([moves.apply(images[:90], slice(0, 90)), moves.apply(images[90:], slice(90, 200))])
    assert torch.equal(whole, halves)
    plain = Moves(np.random.default_rng(1), 200, Recipe(shift=0), 5).apply(images, slice(0, 200))
    assert torch.equal(plain, images)
    mirrored = Moves(np.random.default_rng(1), 200, Recipe(shift=0, flip=True), 5).apply(images, slice(0, 200))
    columns = (mirrored[:, 0, 2] > 0).to(torch.int64).argmax(dim=1)
    assert set(columns.tolist()) == {1, 3}
    assert 60 < int((columns == 3).sum()) < 140


@given(st.integers(1, 6), st.integers(-3, 6), st.integers(-3, 6))
def test_a_square_is_cut_out_even_at_the_border(side: int, top: int, left: int) -> None:
    cut = without_square(torch.ones(1, 1, 5, 5, dtype=torch.uint8), side, torch.tensor([[top], [left]]))
    expected = np.ones((5, 5))
    expected[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = 0
    assert np.array_equal(cut[0, 0].numpy(), expected)


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.25, 0.5]))
def test_a_share_of_every_class_is_held_out(seed: int, share: float) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, 200)
    rows, kept = held_out_rows(labels, share)
    assert sorted([*rows.tolist(), *kept.tolist()]) == list(range(200))
    assert np.abs(np.bincount(labels[kept], minlength=3) - share * np.bincount(labels, minlength=3)).max() <= 1
    assert len(held_out_rows(labels, 0.0)[1]) == 0


def test_a_large_set_stays_in_main_memory_and_comes_batch_by_batch(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("meta")  # stands for a GPU
    assert Feed(digits.train, Recipe(), device).images.device == device
    monkeypatch.setattr(batches, "RESIDENT", digits.train.images.nbytes - 1)
    feed = Feed(digits.train, Recipe(), device)
    assert feed.images.device == CPU
    images, labels = feed._at(np.arange(5))
    assert images.device == labels.device == device
    assert images.shape == (5, 1, 8, 8)
