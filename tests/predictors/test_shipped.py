from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from device_profiles import library
from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile
from device_profiles.seal import seal
from predictors import network, shipped
from predictors.store import load

NAME = "imaginary/onnxruntime/1t"


@pytest.fixture
def shelf(profile: DeviceProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of one profile, and a cache that is empty."""
    path = tmp_path / library.packed_name(NAME)
    path.write_bytes(gzip.compress(b"".join(map(seal, (profile.header, *profile.lines)))))
    monkeypatch.setattr(library, "files", lambda package: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def test_a_name_is_a_device_and_is_fitted_once(shelf: Path, profile: DeviceProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(NAME)
    assert first.device_name_ == NAME
    assert first.path_ is not None
    assert first.path_.is_file()
    monkeypatch.setattr(network.NetworkPredictor, "fit", lambda *_: pytest.fail("fitted again"))
    again = load(Path(NAME))  # as the command line gives it
    operators = [m.operator for m in profile.operators()]
    assert [p.value for p in again.predict_operators(operators)] == [p.value for p in first.predict_operators(operators)]


def test_another_profile_or_a_damaged_cache_is_fitted_afresh(shelf: Path, profile: DeviceProfile) -> None:
    kept = load(NAME).path_
    assert kept is not None
    kept.write_text("{}")
    assert load(NAME).predict_operators([profile.operators()[0].operator])[0].value > 0
    shelf.write_bytes(gzip.compress(b"".join(map(seal, (profile.header, *profile.lines[:-1])))))
    assert load(NAME).path_ != kept


def test_a_cache_that_cannot_be_written_is_no_error(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = shipped.load_shipped(NAME)
    assert found.path_ is None
    assert found.device_name_ == NAME


def test_a_misspelt_name_is_told_the_nearest(shelf: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'imaginary/onnxruntime/1t'"):
        load("imaginary/onnxruntime/2t")
