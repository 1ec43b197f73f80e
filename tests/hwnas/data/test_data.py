"""Images: what is accepted, what is refused, and a split that never changes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from hwnas import data
from hwnas.data import arrays, resizing

LABELS = np.repeat(np.arange(3), 10)


def pixels(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (30, *shape), dtype=np.uint8)


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path / "set.npz", **arrays)
    return path / "set.npz"


def test_digits_are_the_scikit_learn_images_scaled_to_bytes() -> None:
    from sklearn.datasets import load_digits

    found = data.load("digits")
    assert (len(found.train), len(found.validation), len(found.test)) == (1079, 359, 359)
    assert (found.channels, found.resolution, found.classes) == (1, 8, 10)
    images = np.concatenate([s.images for s in (found.train, found.validation, found.test)])[:, 0]
    original = {image.tobytes() for image in np.rint(load_digits().images * 255 / 16).astype(np.uint8)}
    assert {image.tobytes() for image in images} == original
    assert images.max() == 255


@given(st.integers(0, 2**32), st.lists(st.integers(5, 40), min_size=2, max_size=6))
def test_the_split_is_a_stratified_partition_and_depends_on_the_seed_alone(seed: int, counts: list[int]) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = data._split(labels, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for label, count in enumerate(counts):
        of_class = [int((labels[rows] == label).sum()) for rows in parts]
        assert of_class[1] == of_class[2] == round(0.2 * count)
    assert all(np.array_equal(a, b) for a, b in zip(parts, data._split(labels, seed), strict=True))


def test_another_seed_gives_another_split_and_another_digest() -> None:
    first, again, other = data.load("digits"), data.load("digits"), data.load("digits", seed=1)
    assert first.sha256 == again.sha256 != other.sha256
    assert first.sha256 != data.load("digits", resolution=9).sha256


def test_a_summary_is_enough_to_load_the_same_data_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, images=pixels(6, 6), labels=LABELS)
    monkeypatch.chdir(tmp_path)
    summary = data.load("set.npz", resolution=8, seed=5).summary()
    monkeypatch.chdir("/")
    again = data.load(summary["spec"], resolution=summary["resolution"], seed=summary["seed"])
    assert again.summary() == summary
    assert summary["images"] == {"train": 18, "validation": 6, "test": 6}


@pytest.mark.parametrize(("old", "new"), [(8, 16), (8, 12), (16, 8), (17, 5), (1, 4), (4, 1)])
def test_resizing_agrees_with_torch(old: int, new: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 2, old, old), dtype=np.uint8)
    expected = F.interpolate(torch.from_numpy(images).float(), size=(new, new), mode="bilinear", antialias=True).numpy()
    assert np.abs(data.resize(images, new) - expected).max() <= 0.51


def test_resizing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pixels(2, 6, 6)
    whole = data.resize(images, 9)
    monkeypatch.setattr(resizing, "PIECE", 2 * 9 * 9 * 7)
    assert np.array_equal(data.resize(images, 9), whole)


@pytest.mark.parametrize("shape", [(6, 6), (6, 6, 3), (3, 6, 6), (6, 6, 1), (1, 6, 6)])
def test_npz_layouts(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = pixels(*shape)
    found = data.load(saved(tmp_path, images=images, labels=LABELS, classes=np.array(["cat", "dog", "ox"])))
    assert (found.channels, found.resolution, found.class_names) == (3 if 3 in shape else 1, 6, ("cat", "dog", "ox"))
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2) if shape[-1] != 6 else images
    rows = data._split(LABELS, 0)[0]
    assert np.array_equal(found.train.images, planes[rows])
    assert np.array_equal(found.train.labels, LABELS[rows])
    assert found.name == "set"


@pytest.mark.parametrize(
    ("images", "scale"), [(pixels(4, 4) / 255, 255), (pixels(4, 4).astype(np.float32), 1), (pixels(4, 4).astype(int), 1)]
)
def test_floats_and_integers_become_bytes(tmp_path: Path, images: np.ndarray[Any, Any], scale: int) -> None:
    found = data.load(saved(tmp_path, images=images, labels=LABELS.astype(float)))
    assert np.array_equal(found.test.images[:, 0], np.rint(images[data._split(LABELS, 0)[2]] * scale))
    assert found.class_names == ("0", "1", "2")


NAN = np.where(pixels(4, 4) > 100, np.nan, 0.5)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no labels": ({"images": pixels(4, 4)}, "has no array 'labels'; it holds images"),
    "no images": ({"labels": LABELS}, "has no array 'images'"),
    "lengths": ({"images": pixels(4, 4)[:-1], "labels": LABELS}, "29 images but 30 labels"),
    "NaN": ({"images": NAN, "labels": LABELS}, "NaN or infinite"),
    "infinite": ({"images": np.where(NAN > 0, NAN, np.inf), "labels": LABELS}, "NaN or infinite"),
    "range": ({"images": pixels(4, 4) - 0.5, "labels": LABELS}, "between 0 and 255, got -0.5"),
    "large values": ({"images": pixels(4, 4) * 2.0, "labels": LABELS}, "between 0 and 1"),
    "text": ({"images": np.full((30, 4, 4), "x"), "labels": LABELS}, "must be uint8 or float"),
    "one class": ({"images": pixels(4, 4), "labels": np.zeros(30, int)}, "all images are of class 0"),
    "negative": ({"images": pixels(4, 4), "labels": LABELS - 1}, "must not be negative, got -1"),
    "fractions": ({"images": pixels(4, 4), "labels": LABELS / 2}, "must be whole numbers"),
    "labels of text": ({"images": pixels(4, 4), "labels": LABELS.astype(str)}, "must be whole numbers"),
    "labels in a table": ({"images": pixels(4, 4), "labels": LABELS[:, None]}, "one for each image"),
    "missing class": ({"images": pixels(4, 4), "labels": LABELS * 2}, "class 1 has 0 images"),
    "rare class": ({"images": pixels(4, 4), "labels": np.r_[np.zeros(26, int), np.ones(4, int)]}, "class 1 has 4 images: .* at least 5"),
    "huge label": ({"images": pixels(4, 4), "labels": LABELS + 10**15}, "there are only 30 images"),
    "not square": ({"images": pixels(4, 6), "labels": LABELS}, "must be square"),
    "flat": ({"images": pixels(16), "labels": LABELS}, r"must be \(n, h, w\)"),
    "many channels": ({"images": pixels(7, 4, 4), "labels": LABELS}, "at most 4 channels"),
    "empty": ({"images": np.zeros((0, 4, 4), np.uint8), "labels": np.zeros(0, int)}, r"must be \(n, h, w\)"),
    "too large": ({"images": np.zeros((1, 2000, 2000), np.uint8), "labels": LABELS}, "larger than 1024"),
    "class names": ({"images": pixels(4, 4), "labels": LABELS, "classes": np.array(["a", "b"])}, "label 2 is beyond the 2 classes"),
    "no image of a class": (
        {"images": pixels(4, 4), "labels": LABELS, "classes": np.array(["cat", "dog", "ox", "yak"])},
        r"class 3 \(yak\) has 0 images",
    ),
    "table of names": ({"images": pixels(4, 4), "labels": LABELS, "classes": np.full((2, 2), "a")}, "'classes' must be a list of names"),
    "objects": ({"images": pixels(4, 4), "labels": np.array([{}] * 30, dtype=object)}, "not a readable .npz file with plain arrays"),
}


@pytest.mark.parametrize("case", WRONG)
def test_unusable_arrays_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    arrays, message = WRONG[case]
    with pytest.raises(InputError, match=message) as caught:
        data.load(saved(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def truncated(good: bytes) -> bytes:
    return good[: len(good) // 2]


def flipped(good: bytes) -> bytes:
    middle = len(good) // 2
    return good[:middle] + bytes(255 - b for b in good[middle : middle + 40]) + good[middle + 40 :]


@pytest.mark.parametrize("damage", [lambda good: b"", lambda good: b"hello", truncated, flipped, lambda good: b"\x93NUMPY" + good[6:]])
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, damage: Any) -> None:
    np.savez_compressed(tmp_path / "set.npz", images=pixels(20, 20), labels=LABELS)
    path = tmp_path / "set.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"not a readable .npz file") as caught:
        data.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_unpacks_to_too_much_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", bytes(2**20))
    monkeypatch.setattr(arrays, "MAX_BYTES", 2**20 - 1)
    with pytest.raises(InputError, match="1048576 bytes, more than"):
        data.load(path)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown data set 'digit': did you mean 'digits'"):
        data.load("digit")
    with pytest.raises(InputError, match="no such data file"):
        data.load(tmp_path / "none.npz")
    with pytest.raises(InputError, match="no such data file"):
        data.load(str(tmp_path / "none"))
    with pytest.raises(InputError, match="needs a folder for each class"):
        data.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"), [({"resolution": 0}, "between 1 and 1024"), ({"resolution": 5000}, "1024"), ({"seed": -1}, "seed")]
)
def test_options_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        data.load("digits", **options)


def test_data_say_when_they_do_not_fit() -> None:
    found = data.load("digits")
    found.require((1, 8, 8), 10, "the space")
    with pytest.raises(InputError, match=r"the space is for 10 classes of images \(3, 32, 32\), but digits has 10 classes of \(1, 8, 8\)"):
        found.require((3, 32, 32), 10, "the space")
