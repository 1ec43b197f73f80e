from __future__ import annotations

from pathlib import Path

import pytest

from device_profiles.errors import DeviceError
from hwnas.verify.files import begin, earlier, further, write


def test_what_was_interrupted_goes_on_and_what_was_judged_is_set_aside(tmp_path: Path) -> None:
    for name in ("verify.jsonl", "verify.jsonl.journal", "verify-1.jsonl"):
        (tmp_path / name).write_text(name)
    begin(tmp_path)
    assert earlier(tmp_path) == 0
    (tmp_path / "verify.json").write_text("{}")
    begin(tmp_path)
    assert earlier(tmp_path) == 1
    names = {"verify.0.jsonl", "verify.0.jsonl.journal", "verify.0-1.jsonl", "verify.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "verify.0-1.jsonl").read_text() == "verify-1.jsonl"
    begin(tmp_path)
    assert earlier(tmp_path) == 1


def test_names_of_measurements_sort_apart() -> None:
    assert [further(0), further(1)] == ["verify.jsonl", "verify-1.jsonl"]


def test_a_verdict_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot write"):
        write(tmp_path / "none" / "verify.json", {})
