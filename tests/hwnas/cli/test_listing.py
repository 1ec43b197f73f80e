from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from device_profiles import library
from device_profiles.seal import seal

HEADER = {
    "type": "header", "schema": 1, "created": "2026-01-02T03:04:05Z", "device": {"cpu": "Some(R) CPU X-1 @ 2.0GHz", "cores": 4},
    "runtime": {"name": "onnxruntime", "version": "1.2", "threads": 2}, "protocol": {},
}  # fmt: skip


def test_the_shipped_profiles_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any) -> None:
    monkeypatch.setattr(library, "files", lambda package: tmp_path)
    code, out, _ = cli("devices")
    assert code == 0
    assert "no profiles came with hwnas" in out
    library.profiles_in.cache_clear()
    name = "some-x-1-2.0ghz/onnxruntime/2t"
    (tmp_path / library.packed_name(name)).write_bytes(gzip.compress(seal(HEADER)))
    (row,) = json.loads(cli("devices", "--json")[1])["library"]
    assert (row["name"], row["hardware"], row["operators"], row["created"]) == (name, HEADER["device"]["cpu"], 0, HEADER["created"])
    assert f"{name}: Some(R) CPU X-1 @ 2.0GHz, 4 cores; onnxruntime 1.2, 2 threads" in cli("devices")[1]
