"""The kit on 64-bit Arm: that it works, not how fast. Emulated times are refused as measurements."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from device_profiles import kit
from device_profiles.errors import HwnasError
from device_profiles.profile import DeviceProfile
from hwnas import profiling, shipping, spaces
from predictors import NetworkPredictor


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space = spaces.load("mobilenet-small", classes=10, resolution=16, channels=1)
    path = tmp_path_factory.mktemp("kit") / "kit.pyz"
    kit.write_kit(path, kit.build_kit(shipping.space_models(space)[:2], profiling.WHOLE_NETWORKS))
    return path


def run(board: Any, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [board.python, *map(str, arguments)]
    return subprocess.run(command, env=board.environment, cwd=cwd, capture_output=True, text=True, timeout=540)


def test_emulated_times_are_refused_as_measurements(board: Any, pyz: Path, tmp_path: Path) -> None:
    result = run(board, pyz, "--out", "pi.jsonl", "--budget", "20s", cwd=tmp_path)
    assert result.returncode == 3, result.stderr
    assert "emulated" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "pi.jsonl").exists() or not DeviceProfile.read(tmp_path / "pi.jsonl").operators()


def test_the_whole_way_works_on_arm_and_its_profile_is_no_measurement(board: Any, pyz: Path, tmp_path: Path) -> None:
    result = run(board, pyz, "--functional", "--out", "pi.jsonl", "--budget", "60s", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    profile = DeviceProfile.read(tmp_path / "pi.jsonl")
    assert profile.device_name.startswith("raspberry-pi-4")
    assert profile.header["device"]["architecture"] == "aarch64"
    assert profile.operators()
    assert not profile.failures()
    # An Arm processor runs other kernels than this machine: the executed graph was asked there.
    assert not any(item.operator.kind.startswith("nchwc.") for item in profile.operators())
    with pytest.raises(HwnasError, match=r"emulat|functional"):
        NetworkPredictor().fit(profile)
