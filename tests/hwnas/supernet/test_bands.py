"""Bands: every channel of every image once, and little else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.supernet import bands
from hwnas.supernet.bands import counts, filled, lay_out, places, whole

LIKE = torch.zeros(1)


def falling(seed: int, n: int = 20) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice([4, 12, 24, 36, 72], n))[::-1].copy()


@pytest.mark.parametrize("padding", [0, 600, 10**9])
@pytest.mark.parametrize("seed", range(5))
def test_every_channel_of_every_image_is_in_one_band_and_no_other_counts(seed: int, padding: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "PADDING", padding)
    numbers = falling(seed)
    found = lay_out(numbers, 4, LIKE, first=3, row=7)
    seen = np.zeros((72, 23), dtype=int)
    row = 7
    for band in found:
        assert band.row == row
        row = band.end
        inside = np.ones((band.high - band.low, band.number)) if band.mask is None else band.mask[:, :, 0].numpy()
        seen[band.channels, band.images] += inside.astype(int)
    expected = np.arange(72)[:, None] < np.r_[np.zeros(3, int), numbers]
    assert np.array_equal(seen, expected)
    assert found[0].low == 0
    assert found[0].number == 20
    rows = sum(band.end - band.row for band in found)
    assert numbers.sum() <= rows <= numbers.sum() + padding / 4 * len(found)
    assert (len(found) == 1) == (padding == 10**9)
    if not padding:
        assert rows == numbers.sum()


def test_rows_know_their_channel_and_image() -> None:
    found = lay_out(np.array([3, 2, 2]), 10**6, LIKE)
    channels, images = places(found)
    assert channels.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert images.tolist() == [0, 1, 2, 0, 1, 2, 0]
    rows = torch.arange(14.0).view(7, 2)
    assert found[1].of(rows).tolist() == [[12, 13]]
    assert found[0].of(rows).shape == (2, 6)


def test_masks_clear_what_no_image_has() -> None:
    band = whole(np.array([1, 3]), 3, LIKE)
    values = torch.ones(3, 4)
    assert band.masked(values).tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert bool((values == 1).all())
    band.clear(values)
    assert values.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert whole(np.array([3, 3]), 3, LIKE).mask is None


def test_counts_are_of_images_and_never_none() -> None:
    assert counts(np.array([1, 3, 3]), 5, LIKE).tolist() == [3, 2, 2, 1, 1]


def test_filled_numbers_are_few_and_near() -> None:
    found = [filled(rows) for rows in range(1, 5000)]
    assert all(rows <= number <= rows * 9 / 8 + 1 for rows, number in enumerate(found, 1))
    assert len(set(found)) < 120


def test_no_images_no_bands() -> None:
    assert lay_out(np.array([], dtype=np.int64), 4, LIKE) == []
