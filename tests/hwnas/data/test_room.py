"""Large sets lie on disk, and nothing else about them changes."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from device_profiles.errors import DeviceError, InputError
from hwnas import data
from hwnas.data import room


class Usage(NamedTuple):
    """What the disk has left."""

    free: int


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every set counts as a large one; copies are made in many pieces."""
    monkeypatch.setattr(room, "IN_MEMORY", 0)
    monkeypatch.setattr(room, "PIECE", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_set_on_disk_is_the_set_in_memory(monkeypatch: pytest.MonkeyPatch, on_disk: Path) -> None:
    found = data.load("digits", resolution=9)
    assert isinstance(found.train.images, np.memmap)
    assert found.train.images.base is not None
    assert list(on_disk.iterdir()) == []  # the files have no names: nothing is left behind, whatever happens
    monkeypatch.setattr(room, "IN_MEMORY", 2**31)
    expected = data.load("digits", resolution=9)
    assert not isinstance(expected.train.images, np.memmap)
    assert found.sha256 == expected.sha256
    assert np.array_equal(found.validation.images, expected.validation.images)


@pytest.mark.usefixtures("on_disk")
def test_batches_come_from_disk() -> None:
    torch = pytest.importorskip("torch")
    from hwnas.supernet.batches import Feed
    from hwnas.supernet.recipe import Recipe

    found = data.load("digits")
    feed = Feed(found.train, Recipe(batch_size=100, shift=0), torch.device("cpu"))
    seen = [labels for _, labels, _ in feed.epoch(np.random.default_rng(0))]
    assert sorted(torch.cat(seen).tolist()) == sorted(found.train.labels.tolist())
    images = torch.cat([images for images, _, _ in feed.epoch(np.random.default_rng(0))])
    assert float(images.sum()) == pytest.approx(found.train.images.sum() / 255, rel=1e-4)


@pytest.mark.usefixtures("on_disk")
def test_parts_are_joined_and_rows_are_chosen() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 5), dtype=np.uint8)
    assert np.array_equal(room.joined([images[:7], images[7:]]), images)
    rows = np.array([5, 3, 39, 0, 5])
    assert np.array_equal(room.chosen(images, rows), images[rows])


@pytest.mark.usefixtures("on_disk")
def test_a_disk_that_is_too_small_is_told_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**5))
    with pytest.raises(InputError, match=r"0\.0 GB of pixels do not fit into .* lower the resolution, or name a folder .* in TMPDIR"):
        data.load("digits", resolution=64)

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DeviceError, match="No space left on device"):
        data.load("digits", resolution=64)
