"""Measuring for real: on this machine, and on a board that is this machine over a real ssh server."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import DeviceError, InputError
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from hwnas.finish import device_of
from hwnas.run import Run
from hwnas.verify import verify
from hwnas.verify.place import Here

#: The ssh server of the tests of campaigns over ssh.
_remote = runpy.run_path(str(Path(__file__).parents[2] / "device_profiles" / "test_remote.py"))
running, server = _remote["running"], _remote["server"]

QUICK = Protocol(min_rounds=3, max_rounds=3, prelude_rounds=3, quiet=0.0)


@pytest.fixture
def run(walk: Any, tmp_path: Path) -> Run:
    shutil.copytree(walk.folder, tmp_path / "walk")
    run = Run.open(tmp_path / "walk" / "run")
    for left in ("verify.json", "verify.jsonl", "verify.jsonl.journal"):
        (run.path / left).unlink(missing_ok=True)
    return run


def test_a_verification_that_was_interrupted_goes_on(run: Run) -> None:
    device = device_of(run)

    def stop(share: float, message: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(run, device, settings=QUICK, progress=stop, iterations=1)
    assert not (run.path / "verify.json").exists()
    kept = (run.path / "verify.jsonl").stat().st_size, (run.path / "verify.jsonl.journal").stat().st_size
    assert max(kept) > 1000
    verdict = verify(run, device, settings=QUICK, iterations=1)
    assert {tuple(p["architecture"]) for p in verdict["points"] if p["role"] == "front"} == {p.architecture for p in run.front()}
    assert not (run.path / "run.lock").exists()


def test_another_device_is_refused_before_anything_is_measured(run: Run) -> None:
    device = device_of(run)
    device.origin_["device"]["cpu"] = "another"
    with pytest.raises(InputError, match="this is not the device that was searched for"):
        Here(run.path, device, QUICK).measure(_space(run), [run.front()[0].architecture], None)
    assert not (run.path / "verify.jsonl").exists()


def _space(run: Run) -> Any:
    from hwnas.spaces import from_spec

    return from_spec(run.spec["space"])


def test_a_board_over_ssh_measures_the_front_and_a_second_time_anew(run: Run, server: Any) -> None:
    device = device_of(run)
    found = []
    for _ in range(2):
        verdict = verify(run, device, host="board", ssh_config=server.config, budget_s=8.0, iterations=1)
        assert any(p["role"] == "front" for p in verdict["points"])
        assert verdict["drift"] is not None
        found.append(DeviceProfile.read(run.path / "verify.jsonl"))
    assert (run.path / "verify.0.jsonl").exists()
    assert found[0].header["runtime"]["name"] == "onnxruntime"
    assert found[0].sha256 != found[1].sha256
    assert len(list(server.cache.glob("*.jsonl"))) == 2


def test_a_board_that_is_gone_is_one_line_and_loses_nothing(run: Run, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run.database.read_bytes()
    with pytest.raises(DeviceError, match="connection failed") as error:
        verify(run, device_of(run), host="absent", ssh_config=server.config)
    assert "\n" not in str(error.value)
    assert run.database.read_bytes() == before


def test_a_board_that_is_another_device_leaves_its_measurements_aside(run: Run, server: Any) -> None:
    device = device_of(run)
    device.origin_["device"]["cpu"] = "another"
    with pytest.raises(InputError, match="not the device that was searched for"):
        verify(run, device, host="board", ssh_config=server.config, budget_s=3.0)
    assert not (run.path / "verify.jsonl").exists()
    assert (run.path / "verify.0.jsonl").exists()


def test_what_is_measured_already_is_not_measured_again_and_costs_an_interrupted_round_nothing(run: Run) -> None:
    here, archs = Here(run.path, device_of(run), QUICK), [row.architecture for row in run.rows()[:3]]
    here.measure(_space(run), archs[:2], None)
    before = (run.path / "verify.jsonl").read_bytes()

    def stop(share: float, message: str) -> None:
        if "0 of 1" in message and share > 0.3:
            raise KeyboardInterrupt

    stopped = Here(run.path, here.device, Protocol(min_rounds=30, max_rounds=30, prelude_rounds=3, quiet=0.0), stop)
    with pytest.raises(KeyboardInterrupt):
        stopped.measure(_space(run), archs[2:], None)
    journal = (run.path / "verify.jsonl.journal").read_bytes()
    here.measure(_space(run), archs[:2], None)
    assert (run.path / "verify.jsonl").read_bytes() == before
    assert (run.path / "verify.jsonl.journal").read_bytes() == journal
