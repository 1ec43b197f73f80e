"""Checkpoints: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from device_profiles.errors import DeviceError, InputError
from hwnas.supernet import checkpoint, load
from hwnas.supernet.mobilenet import MobileNetSupernet


@pytest.fixture
def saved(tmp_path: Path, supernet: MobileNetSupernet) -> Path:
    write(tmp_path / checkpoint.FILE, supernet)
    return tmp_path / checkpoint.FILE


def write(path: Path, supernet: MobileNetSupernet, **changes: Any) -> None:
    tensors = {checkpoint.WEIGHT + name: tensor for name, tensor in supernet.state_dict().items()}
    checkpoint.save(path, tensors | changes.pop("tensors", {}), {"space": supernet.space.spec(), "note": "é"} | changes)


def test_a_super_network_comes_back_from_file_or_folder(saved: Path, supernet: MobileNetSupernet) -> None:
    for place in (saved, saved.parent, str(saved)):
        loaded, metadata = load(place)
        assert metadata == {"format": 1, "space": json.loads(json.dumps(supernet.space.spec())), "note": "é"}
        assert loaded.space.spec() == supernet.space.spec()
        assert not loaded.training
        assert not loaded.calibrated
        for name, tensor in supernet.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor)
            assert loaded.state_dict()[name].stride() == tensor.stride()  # the memory order decides the bits of what is computed


def test_equal_contents_are_equal_bytes(saved: Path, supernet: MobileNetSupernet, tmp_path: Path) -> None:
    tensors = {checkpoint.WEIGHT + name: tensor for name, tensor in reversed(supernet.state_dict().items())}
    checkpoint.save(tmp_path / "other", tensors, {"note": "é", "space": supernet.space.spec()})
    assert (tmp_path / "other").read_bytes() == saved.read_bytes()


def test_no_draft_is_left(saved: Path) -> None:
    assert [file.name for file in saved.parent.iterdir()] == [checkpoint.FILE]


def header(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda good: b"", "not a readable checkpoint"),
        (lambda good: good[:100], "not a readable checkpoint"),
        (lambda good: good[:-1], "not a readable checkpoint"),
        (lambda good: b"\x80\x04K\x01.", "not a readable checkpoint"),
        (lambda good: header(b"{}"), "not a checkpoint of hwnas"),
        (lambda good: header(b'{"__metadata__":{"hwnas":"{"}}'), "not a readable checkpoint"),
        (lambda good: header(b'{"__metadata__":{"hwnas":"[1]"}}'), "not a checkpoint of hwnas"),
        (
            lambda good: header(b'{"__metadata__":{"hwnas":"{\\"format\\": 2}"}}'),
            "checkpoint format 2; this version of hwnas reads format 1",
        ),
        (lambda good: header(b'{"__metadata__":{"hwnas":"{\\"format\\": 1}"}}'), "does not describe a search space"),
    ],
)
def test_damaged_files_are_refused_in_one_line(saved: Path, damage: Any, message: str) -> None:
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_a_missing_checkpoint_says_how_to_make_one(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=r"no super-network checkpoint at .*hwnas train --out"):
            load(place)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight/head.conv.weight": torch.zeros(2, 2, 1, 1)}, "weight head.conv.weight has shape"),
        ({"weight/more": torch.zeros(2)}, r"weight more has shape \(2,\), this super-network needs None"),
        ({"weight/classifier.bias": torch.full((10,), torch.nan)}, "NaN or infinite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(saved: Path, supernet: MobileNetSupernet, tensors: Any, message: str) -> None:
    write(saved, supernet, tensors=tensors)
    with pytest.raises(InputError, match=message):
        load(saved)


@pytest.mark.parametrize("spec", [{"kind": "mine"}, {"kind": "mobilenet"}, {"kind": "mobilenet", "stages": 3}, [], None])
def test_spaces_that_are_not_here_are_refused(saved: Path, supernet: MobileNetSupernet, spec: Any) -> None:
    write(saved, supernet, space=spec)
    with pytest.raises(InputError):
        load(saved)


def test_a_failed_write_keeps_the_old_file_and_leaves_no_draft(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = saved.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeviceError, match="No space left"):
        checkpoint.write_atomically(saved, b"new")
    assert saved.read_bytes() == old
    assert [file.name for file in saved.parent.iterdir()] == [checkpoint.FILE]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/inside"):
        checkpoint.write_atomically(tmp_path / "file" / "inside", b"new")
