"""Folders of images, and what is wrong with some."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import data

Image = pytest.importorskip("PIL.Image")


def picture(path: Path, seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def folder(path: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 6, **options: Any) -> Path:
    for c, name in enumerate(classes):
        for i in range(each):
            picture(path / name / f"{i}.png", 100 * c + i, **options)
    return path


def test_a_folder_per_class(tmp_path: Path) -> None:
    found = data.load(folder(tmp_path / "pets"))
    assert (found.name, found.class_names, found.channels, found.resolution) == ("pets", ("cat", "dog"), 3, 8)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [8, 2, 2]
    pixels = {np.asarray(Image.open(file)).transpose(2, 0, 1).tobytes(): file.parent.name for file in (tmp_path / "pets").rglob("*.png")}
    for split in (found.train, found.validation, found.test):
        assert [pixels[image.tobytes()] for image in split.images] == [found.class_names[label] for label in split.labels]
    summary = found.summary()
    assert data.load(summary["spec"], resolution=summary["resolution"], seed=summary["seed"]).sha256 == found.sha256


def test_test_images_given_apart_are_the_test_images(tmp_path: Path) -> None:
    folder(tmp_path / "train", each=10)
    folder(tmp_path / "test", each=3)
    found = data.load(tmp_path)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [16, 4, 6]
    folder(tmp_path / "test", classes=("ox",))
    with pytest.raises(InputError, match="different classes: 2 and 3"):
        data.load(tmp_path)


def test_sizes_and_modes(tmp_path: Path) -> None:
    folder(tmp_path)
    picture(tmp_path / "dog" / "9.png", 3, size=(12, 8))
    with pytest.raises(InputError, match=r"different sizes: .*0.png is 8 x 8, .*9.png 12 x 8: give a resolution"):
        data.load(tmp_path)
    assert data.load(tmp_path, resolution=6).train.images.shape[1:] == (3, 6, 6)
    picture(tmp_path / "dog" / "9.png", 3, mode="L")  # grey among colour becomes colour
    found = data.load(tmp_path)
    grey = [image for split in (found.train, found.validation, found.test) for image in split.images if (image[0] == image[1]).all()]
    assert len(grey) == 1
    assert data.load(folder(tmp_path / "grey", mode="L")).channels == 1
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "dog" / "9.png")
    with pytest.raises(InputError, match=r"9.png: pictures of mode I;16 are not read"):
        data.load(tmp_path)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "ox").mkdir()
    with pytest.raises(InputError, match="ox: no picture in this class"):
        data.load(tmp_path)
    folder(tmp_path, classes=("ox",), each=4)
    with pytest.raises(InputError, match="class 2 has 4 images"):
        data.load(tmp_path)
    folder(tmp_path, classes=("ox",))
    good = (tmp_path / "ox" / "3.png").read_bytes()
    for damaged in (b"", b"hello", good[: len(good) // 2]):
        (tmp_path / "ox" / "3.png").write_bytes(damaged)
        with pytest.raises(InputError, match=r"ox/3.png: not a picture that can be read") as caught:
            data.load(tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="a folder for each class"):
        data.load(tmp_path / "ox")


def cifar(path: Path, labels: int, files: list[str], each: int = 60) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (len(files), each, labels + 3072), dtype=np.uint8)
    rows[:, :, labels - 1] = np.arange(each) % (10 if labels == 1 else 100)
    for file, content in zip(files, rows, strict=True):
        (path / file).write_bytes(content.tobytes())
    return rows


@pytest.mark.parametrize("labels", [1, 2])
def test_the_binary_files_of_cifar(tmp_path: Path, labels: int) -> None:
    files = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"] if labels == 1 else ["train.bin", "test.bin"]
    rows = cifar(tmp_path, labels, files, each=600)
    found = data.load(tmp_path)
    assert (found.channels, found.resolution, found.classes) == (3, 32, 10 if labels == 1 else 100)
    assert np.array_equal(found.test.images, rows[-1][:, labels:].reshape(-1, 3, 32, 32))
    assert len(found.train) + len(found.validation) == 600 * (len(files) - 1)
    (tmp_path / files[-1]).write_bytes(b"1234")
    with pytest.raises(InputError, match="4 bytes are no whole number of images"):
        data.load(tmp_path)
    rows[-1][0, labels - 1] = 200
    (tmp_path / files[-1]).write_bytes(rows[-1].tobytes())
    with pytest.raises(InputError, match="label 200 is beyond"):
        data.load(tmp_path)
    (tmp_path / files[-1]).unlink()
    with pytest.raises(InputError, match="is missing"):
        data.load(tmp_path)


def test_the_pickled_version_of_cifar_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02.")
    with pytest.raises(InputError, match="take the binary version"):
        data.load(tmp_path)


def packed(path: Path, n: int = 20, **changes: Any) -> Path:
    files = []
    for i in range(n):
        stream = io.BytesIO()
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(stream, "JPEG")
        files.append(stream.getvalue())
    arrays = {
        "jpeg": np.frombuffer(b"".join(files), np.uint8), "offsets": np.cumsum([0, *map(len, files)]), "labels": np.arange(n) % 2,
        "classes": np.array(["a", "b"]),
    }  # fmt: skip
    np.savez(path, **(arrays | changes))
    return path


def test_packed_pictures_in_one_file_or_a_pair(tmp_path: Path) -> None:
    one = data.load(packed(tmp_path / "train_small.npz"))
    assert (len(one.train), len(one.validation), len(one.test), one.class_names) == (12, 4, 4, ("a", "b"))
    packed(tmp_path / "test_small.npz", 10)
    pair = data.load(tmp_path, resolution=4)
    assert (len(pair.train), len(pair.validation), len(pair.test), pair.resolution) == (16, 4, 10, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": np.arange(20)}, "19 images but 20 labels"),
        ({"offsets": np.arange(21) * 10**6}, "offsets must rise"),
        ({"offsets": np.zeros(21, int)}, "offsets must rise"),
        ({"jpeg": np.zeros(20000, np.uint8)}, "image 0: not a picture"),
        ({"jpeg": np.zeros(20000)}, "a list of bytes"),
    ],
)
def test_damaged_packs_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        data.load(packed(tmp_path / "set.npz", **changes))
