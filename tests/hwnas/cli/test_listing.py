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


def test_spaces_are_listed_with_their_sizes(cli: Any) -> None:
    from hwnas.spaces import SPACES

    rows = json.loads(cli("spaces", "--json")[1])["spaces"]
    assert [row["name"] for row in rows] == list(SPACES)
    assert {row["name"]: row["architectures"] for row in rows}["sharing64"] == 64


def test_what_the_networks_of_a_space_cost(cli: Any) -> None:
    found = json.loads(cli("spaces", "--space", "sharing64", "--resolution", 8, "--json")[1])["costs"]
    assert list(found) == ["macs", "params"]
    assert 0 < found["macs"]["minimum"] < found["macs"]["median"] < found["macs"]["maximum"]
    assert "least" in cli("spaces", "--space", "sharing64", "--resolution", 8)[1]
