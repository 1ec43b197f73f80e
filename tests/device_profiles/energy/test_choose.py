from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device_profiles.energy import HELP, MeterError, check_elsewhere, check_wanted, choose
from device_profiles.energy.find import METERS
from device_profiles.errors import DeviceError, InputError

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"


def test_what_needs_no_meter() -> None:
    assert choose("auto", CPU) == "auto"
    assert choose("none", CPU) is None


@pytest.mark.parametrize(("wanted", "words"), [("rapll", "did you mean 'rapl'"), ("log:", "names no file"), ("", "unknown meter")])
def test_names_that_are_none(wanted: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_wanted(wanted)


def test_the_help_names_every_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*METERS, "auto", "none", "log:FILE"):
        assert name in HELP


def test_a_log_elsewhere_needs_its_whole_path() -> None:
    for fine in ("auto", "none", "rapl", "log:/home/pi/meter.csv", "log:~/meter.csv"):
        check_elsewhere(fine)
    with pytest.raises(InputError, match="whole path"):
        check_elsewhere("log:meter.csv")


def test_a_named_meter_that_is_there(machine: Callable[..., Any]) -> None:
    with machine(lambda: 20.0, 10**12) as synthetic:
        meter = choose("rapl", CPU, synthetic.root)
    assert meter is not None
    assert not isinstance(meter, str)
    assert meter.name == "rapl"


@pytest.mark.parametrize("name", sorted(set(METERS) - {"nvml"}))
def test_a_named_meter_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=rf"^the meter {name} cannot be used: (?!.*\n)no "):
        choose(name, CPU, tmp_path)


def test_nvml_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(DeviceError, match="pip install nvidia-ml-py"):
        choose("nvml", GPU)


def test_a_meter_that_stands_still_or_sees_something_else(rapl: Callable[..., Path]) -> None:
    root = rapl(energy_uj=77)
    with pytest.raises(MeterError, match="stands still"):
        choose("rapl", CPU, root)
    with pytest.raises(MeterError, match="runs on a GPU"):
        choose("rapl", GPU, root)


def test_a_log_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"the meter log:.* cannot be used: .*No such file"):
        choose(f"log:{tmp_path / 'none.csv'}", CPU)
