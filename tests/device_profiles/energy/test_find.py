from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from device_profiles.energy import find, meter_for
from device_profiles.energy.nvml import NvmlMeter

Tree = Callable[[dict[str, object]], Path]


def board(tree: Tree, model: str, script: str) -> Path:
    root = tree({"proc/device-tree/model": model, "usr/bin/vcgencmd": f"#!/bin/sh\n{script}"})
    (root / "usr/bin/vcgencmd").chmod(0o755)
    return root


def test_in_order_of_preference(tree: Tree, rapl: Callable[..., Path]) -> None:
    rapl()
    base = "sys/class/hwmon/hwmon0"
    root = tree({f"{base}/name": "ina219", f"{base}/power1_input": 1_000_000})
    problems: list[str] = []
    assert [meter.name for meter in find(root, problems)] == ["rapl", "hwmon"]
    assert problems == []


def test_nothing_there_is_no_problem(tmp_path: Path) -> None:
    problems: list[str] = []
    assert find(tmp_path, problems) == []
    assert problems == []


def test_what_is_there_but_cannot_be_read_says_so(rapl: Callable[..., Path]) -> None:
    root = rapl()
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("secret")
    problems: list[str] = []
    assert find(root, problems) == []
    (problem,) = problems
    assert "energy_uj" in problem
    assert "\n" not in problem


def test_only_a_raspberry_pi_5_is_asked_for_its_rails(tree: Tree) -> None:
    script = "echo 'VDD_CORE_A current(7)=0.5A'; echo 'VDD_CORE_V volt(15)=0.9V'"
    assert [meter.name for meter in find(board(tree, "Raspberry Pi 5 Model B Rev 1.0", script))] == ["pmic"]
    assert find(board(tree, "Raspberry Pi 4 Model B Rev 1.4", script)) == []


def test_the_meter_must_see_what_the_runtime_does(rapl: Callable[..., Path]) -> None:
    (processor,) = find(rapl())
    graphics = NvmlMeter.__new__(NvmlMeter)
    assert meter_for("CPUExecutionProvider", [graphics, processor]) is processor
    assert meter_for("CUDAExecutionProvider", [processor, graphics]) is graphics
    assert meter_for("CUDAExecutionProvider", [processor]) is None


def test_on_this_machine() -> None:
    problems: list[str] = []
    meters = find("/", problems)
    if not meters:
        pytest.skip(f"no meter on this machine {problems}")
    for meter in meters:
        first, second = meter.read(), meter.read()
        assert second.time_s >= first.time_s
