from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from device_profiles import library
from device_profiles.errors import InputError
from device_profiles.library import device_name_of, library_profiles, library_rows, packed_name, profiles_in
from device_profiles.profile import DeviceProfile
from device_profiles.seal import seal

HEADER = {
    "type": "header", "schema": 1, "created": "2026-01-02T03:04:05Z", "device": {"cpu": "Some(R) CPU X-1 @ 2.0GHz", "cores": 4},
    "runtime": {"name": "onnxruntime", "version": "1.2", "threads": 2}, "protocol": {},
}  # fmt: skip
CANARY = {"type": "canary", "key": "canary/conv/0", "samples_ms": [[1, 1, 1]]}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of one profile in the place of the shipped one."""
    monkeypatch.setattr(library, "files", lambda package: tmp_path)
    name = "some-x-1-2.0ghz/onnxruntime/2t"
    (tmp_path / packed_name(name)).write_bytes(gzip.compress(seal(HEADER) + seal(CANARY), mtime=0))
    return tmp_path


def test_names_and_rows(shelf: Path) -> None:
    assert library_profiles() == {"some-x-1-2.0ghz/onnxruntime/2t": shelf / "some-x-1-2.0ghz--onnxruntime--2t.jsonl.gz"}
    (row,) = library_rows()
    assert (row["hardware"], row["cores"], row["runtime"], row["version"], row["threads"]) == (
        "Some(R) CPU X-1 @ 2.0GHz", 4, "onnxruntime", "1.2", 2,
    )  # fmt: skip
    assert (row["operators"], row["networks"], row["created"]) == (0, 0, "2026-01-02T03:04:05Z")


@pytest.mark.parametrize(
    "content",
    [b"", b"text", gzip.compress(b"text\n"), gzip.compress(seal(CANARY)), gzip.compress(seal(HEADER))[:40]],
    ids=["empty", "not packed", "no profile", "no header", "truncated"],  # packed bytes hold the time
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.jsonl\.gz: not a packed profile") as caught:
        device_name_of(path)
    assert "\n" not in str(caught.value)


def test_what_is_shipped_is_whole_and_named_after_its_device() -> None:
    shipped = profiles_in(Path(library.__file__).parent)
    for name, path in shipped.items():
        assert path.name == packed_name(name)
        profile = DeviceProfile.read(path)
        profile.refuse_functional()
        assert len(profile.operators()) >= 50
        assert len(profile.networks()) >= 10
        assert profile.canaries()
        assert path.stat().st_size < 4 << 20
    if not shipped:
        pytest.skip("no profiles are shipped yet: benchmarks/library.py measures them")
