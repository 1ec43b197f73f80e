from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_profiles.append import Appender
from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile
from device_profiles.seal import seal


def lines() -> list[dict[str, Any]]:
    quantity = {"value": 1.0, "low": 0.9, "high": 1.1, "origin": "measured"}
    numbers = {"latency_ms": quantity, "median_ms": 1.1, "p95_ms": 1.4, "samples_ms": [[1.0, 1.1, 1.4]] * 3, "warnings": []}
    operator = {"kind": "Relu", "attributes": {}, "inputs": [{"shape": [1, 4]}], "outputs": [{"shape": [1, 4]}]}
    header = {
        "type": "header", "schema": 1, "device": {"cpu": "Some(R) CPU X-1 @ 2.0GHz"},
        "runtime": {"name": "onnxruntime", "threads": 2}, "protocol": {},
    }  # fmt: skip
    return [
        header,
        {"type": "operator", "key": "relu", "status": "ok", "operator": operator, **numbers},
        {"type": "operator", "key": "bad", "status": "failed", "operator": operator, "error": "crashed: SIGSEGV"},
        {"type": "network", "key": "network/n", "status": "ok", "name": "n", "operators": [[operator, 2]], "macs": 0, "params": 0,
         "peak_activation_bytes": 32, **numbers, "warnings": ["noisy: rounds spread by 40%"]},
        {"type": "canary", "key": "canary/conv/0", "samples_ms": [[1, 1, 1]]},
    ]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(map(seal, rows)))
    return path


def test_reading(tmp_path: Path) -> None:
    profile = DeviceProfile.read(write(tmp_path / "p.jsonl", lines()))
    assert profile.device_name == "some-x-1-2.0ghz/onnxruntime/2t"
    (operator,) = profile.operators()
    (network,) = profile.networks()
    assert (operator.operator.kind, network.operators[0][1]) == ("Relu", 2)
    assert profile.failures()[0]["error"] == "crashed: SIGSEGV"
    assert "1 failed" in repr(profile)
    assert "WARNING noisy" in repr(network)
    assert "WARNING" not in repr(operator)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.pop(0), "header"),
        (lambda rows: rows.append(rows[1]), "twice"),
        (lambda rows: rows[0].update(schema=99), "newer"),
        (lambda rows: rows[0].pop("runtime"), "lacks 'runtime'"),
        (lambda rows: rows[1].update(type="weird"), "line 2"),
        (lambda rows: rows[1].pop("key"), "line 2"),
        (lambda rows: rows[1]["latency_ms"].update(value=-1.0, low=-2.0), "line 2.*positive"),
        (lambda rows: rows[1]["latency_ms"].update(origin="guessed"), "line 2"),
        (lambda rows: rows[3].pop("operators"), "line 4"),
        (lambda rows: rows[3].update(samples_ms=[1, 2]), "line 4"),
        (lambda rows: rows.clear(), "no complete line"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Any, words: str) -> None:
    rows = lines()
    change(rows)
    with pytest.raises(InputError, match=words) as caught:
        DeviceProfile.read(write(tmp_path / "p.jsonl", rows))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        DeviceProfile.read(tmp_path / "none.jsonl")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000))
def test_cut_at_any_byte_it_can_be_read_and_continued(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "p.jsonl", lines())
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole))])
    complete = whole[: min(cut, len(whole))].count(b"\n")
    if complete:
        assert len(DeviceProfile.read(path).lines) == complete - 1
    else:
        with pytest.raises(InputError):
            DeviceProfile.read(path)
    with Appender(path) as appender:
        assert len(appender.lines) == complete
        for row in lines()[complete:]:
            appender.append(row)
    assert path.read_bytes() == whole
    DeviceProfile.read(path)


def test_nothing_but_finite_numbers_is_written(tmp_path: Path) -> None:
    with Appender(tmp_path / "p.jsonl") as appender, pytest.raises(ValueError, match="JSON"):
        appender.append({"value": float("nan")})
