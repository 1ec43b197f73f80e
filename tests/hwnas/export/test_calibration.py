from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.data import Dataset, Split
from hwnas.export.calibration import MAX_IMAGES, calibration_of


def dataset(channels: int = 1, side: int = 8) -> Dataset:
    labels = np.arange(60) % 2
    images = np.random.default_rng(0).integers(0, 256, (60, channels, side, side)).astype(np.uint8)
    split = Split(images, labels)
    return Dataset("shapes", split, split, split, ("a", "b"))


def test_without_a_path_they_are_images_that_were_trained_on() -> None:
    found = calibration_of(dataset())
    assert len(found.images) == 60
    assert found.source == "training images of shapes"


def test_arrays_need_no_labels_and_many_are_thinned_out(tmp_path: Path) -> None:
    many = np.arange(2 * MAX_IMAGES, dtype=np.uint32).reshape(-1, 1, 1) % 251
    np.savez(tmp_path / "mine.npz", images=np.broadcast_to(many, (2 * MAX_IMAGES, 8, 8)).astype(np.uint8))
    found = calibration_of(dataset(), tmp_path / "mine.npz")
    assert found.images.shape == (MAX_IMAGES, 1, 8, 8)
    assert found.images[1, 0, 0, 0] == 2
    assert found.source == "mine.npz"


def test_pictures_at_any_depth_are_resized_as_training_resized_them(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for i in range(20):
        image.new("L", (20, 12), i * 10).save(tmp_path / ("deep" if i % 2 else "deep/er") / f"{i}.png")
    assert calibration_of(dataset(), tmp_path).images.shape == (20, 1, 8, 8)
    assert calibration_of(dataset(channels=3), tmp_path).images.shape == (20, 3, 8, 8)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((30, 10, 10), "calibration images are 1 x 10 x 10, the network was trained on 1 x 8 x 8"),
        ((30, 8, 8, 3), "calibration images are 3 x 8 x 8, the network was trained on 1 x 8 x 8"),
        ((15, 8, 8), "15 images are too few"),
    ],
)
def test_images_of_another_size_or_too_few_are_one_line(tmp_path: Path, shape: tuple[int, ...], words: str) -> None:
    np.savez(tmp_path / "mine.npz", images=np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match=words) as error:
        calibration_of(dataset(), tmp_path / "mine.npz")
    assert "\n" not in str(error.value)


def test_places_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 pictures are too few"):
        calibration_of(dataset(), tmp_path)
    with pytest.raises(InputError, match="no such data file"):
        calibration_of(dataset(), tmp_path / "gone.npz")
    np.savez(tmp_path / "other.npz", labels=np.zeros(30))
    with pytest.raises(InputError, match="has no array 'images'"):
        calibration_of(dataset(), tmp_path / "other.npz")
