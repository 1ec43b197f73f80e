"""Sets of the library datasets, made here and read from folders: no network is needed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import data

Image = pytest.importorskip("PIL.Image")
datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
arrow = pytest.importorskip("pyarrow")
arrow_parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched, and what the library keeps is kept here."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def png(seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def rows(labels: list[Any], names: tuple[str, ...] | None = ("cat", "dog"), first: int = 0, **pictures: Any) -> Any:
    """A split with the pictures and labels; without names the labels are plain numbers or texts."""
    content = {"img": [{"bytes": png(first + i, **pictures), "path": None} for i in range(len(labels))], "label": labels}
    split = datasets.Dataset.from_dict(content).cast_column("img", datasets.Image())
    return split if names is None else split.cast_column("label", datasets.ClassLabel(names=list(names)))


def parquet(folder: Path, **splits: Any) -> str:
    (folder / "set").mkdir(exist_ok=True)
    for name, split in splits.items():
        split.to_parquet(folder / "set" / f"{name}.parquet")
    return f"datasets:{folder / 'set'}"


def pixels(seed: int) -> Any:
    return np.asarray(Image.open(io.BytesIO(png(seed)))).transpose(2, 0, 1)


def test_parquet_files_with_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = parquet(tmp_path, train=rows([0, 1] * 10), test=rows([1, 0, 0], first=100))
    found = data.load(text)
    assert (found.name, found.class_names, found.channels, found.resolution) == ("set", ("cat", "dog"), 3, 8)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [16, 4, 3]
    assert found.test.labels.tolist() == [1, 0, 0]
    assert np.array_equal(found.test.images, [pixels(100), pixels(101), pixels(102)])
    monkeypatch.chdir(tmp_path)
    near = data.load("datasets:set")
    assert near.summary() == found.summary()
    assert near.spec == text


def test_a_saved_set_and_a_folder_of_pictures(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": rows([0, 1] * 6)}).save_to_disk(tmp_path / "saved")
    rows([0, 1] * 6).save_to_disk(tmp_path / "one")
    for i in range(12):
        file = tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(i))
    for name in ("saved", "one", "pets"):
        found = data.load(f"datasets:{tmp_path / name}")
        assert [len(split) for split in (found.train, found.validation, found.test)] == [8, 2, 2]
        seen = {
            image.tobytes(): label
            for s in (found.train, found.validation, found.test)
            for image, label in zip(s.images, s.labels, strict=True)
        }
        assert seen == {pixels(i).tobytes(): i % 2 for i in range(12)}


def test_classes_as_numbers_and_texts(tmp_path: Path) -> None:
    assert data.load(parquet(tmp_path, train=rows([0, 1] * 6, None))).class_names == ("0", "1")
    texts = data.load(parquet(tmp_path, train=rows(["ox", "ant"] * 6, None), test=rows(["ox"] * 2, None, first=50)))
    assert texts.class_names == ("ant", "ox")
    assert texts.test.labels.tolist() == [1, 1]
    with pytest.raises(InputError, match="the class 'cow' of an image is none of ant, ox"):
        data.load(parquet(tmp_path, test=rows(["cow"], None)))
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"needs a whole class number, one has 0\.5"):
        data.load(parquet(tmp_path / "other", train=rows([0.5, 1.0] * 6, None)))


def test_the_finest_classes_count_and_hidden_labels_are_no_test_images(tmp_path: Path) -> None:
    fine = rows([0, 1, 2] * 6, ("a", "b", "c")).rename_column("label", "fine")
    both = fine.add_column("coarse", [0, 1, 1] * 6).cast_column("coarse", datasets.ClassLabel(names=["x", "y"]))
    assert data.load(parquet(tmp_path, train=both)).class_names == ("a", "b", "c")
    hidden = parquet(tmp_path, train=rows([0, 1] * 6), test=rows([-1] * 4), validation=rows([1] * 3, first=60))
    assert data.load(hidden).test.labels.tolist() == [1, 1, 1]


def test_pictures_of_other_sizes_and_modes(tmp_path: Path) -> None:
    mixed = parquet(tmp_path, train=datasets.concatenate_datasets([rows([0, 1] * 5), rows([0, 1] * 5, first=20, size=(12, 9))]))
    with pytest.raises(InputError, match=r"image 0 is 8 x 8, .*image 10 12 x 9: give a resolution"):
        data.load(mixed)
    assert data.load(mixed, resolution=6).train.images.shape[1:] == (3, 6, 6)
    grey = data.load(parquet(tmp_path, train=rows([0, 1] * 6), test=rows([1, 0], first=30, mode="L")))
    assert grey.test.images.shape == (2, 3, 8, 8)


WRONG: dict[str, tuple[Any, str]] = {
    "a class without an image": (lambda: rows([0, 1] * 6, ("cat", "dog", "ox")), r"class 2 \(ox\) has 0 images"),
    "a rare class": (lambda: rows([0] * 9 + [1] * 3), r"class 1 \(dog\) has 3 images: a split needs at least 5"),
    "a hidden label": (lambda: rows([0, 1] * 6 + [-1]), "must not be negative, got -1"),
    "no class": (lambda: rows([0, 1] * 6).remove_columns("label"), "no column of classes: one called label is needed; it has img"),
    "no picture": (lambda: rows([0, 1] * 6).remove_columns("img"), "one column of pictures is needed, found none among label"),
    "two pictures": (
        lambda: datasets.concatenate_datasets(
            [rows([0, 1] * 6), rows([0, 1] * 6).select_columns("img").rename_column("img", "other")], axis=1
        ),
        "found img, other among",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(InputError, match=message) as caught:
        data.load(parquet(tmp_path, train=make()))
    assert "\n" not in str(caught.value)


def test_a_damaged_or_missing_picture_is_named(tmp_path: Path) -> None:
    for entry, message in (
        ({"bytes": png(3)[:60], "path": None}, "image 3: not a picture that can be read"),
        ({"bytes": b"hello", "path": None}, "image 3: not a picture that can be read"),
        (None, "image 3: not a picture that can be read .there is no picture"),
        ({"bytes": None, "path": "/nowhere/3.png"}, "image 3: not a picture that can be read .*No such file"),
    ):
        pictures = [{"bytes": png(i), "path": None} for i in range(12)]
        pictures[3] = entry  # type: ignore[call-overload]
        (tmp_path / "set").mkdir(exist_ok=True)
        arrow_parquet.write_table(arrow.table({"img": pictures, "label": [0, 1] * 6}), tmp_path / "set" / "train.parquet")
        with pytest.raises(InputError, match=message):
            data.load(f"datasets:{tmp_path / 'set'}")


def test_labels_beyond_the_classes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="label 2 of a test image is beyond the 2 classes"):
        data.load(parquet(tmp_path, train=rows([0, 1] * 6, None), test=rows([2], None)))


def test_sets_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="the library datasets cannot load it") as caught:
        data.load(f"datasets:{tmp_path / 'nothing'}")
    assert "\n" not in str(caught.value)
    splits = parquet(tmp_path, validation=rows([0, 1] * 6), test=rows([0, 1] * 6))
    with pytest.raises(InputError, match="there is no split train; it has"):
        data.load(splits)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"datasets:mnist needs the library datasets: pip install 'hwnas\[data\]'"):
        data.load("datasets:mnist")
