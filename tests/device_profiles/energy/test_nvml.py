from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from device_profiles.energy.meter import MeterError
from device_profiles.energy.nvml import NvmlMeter


class Library:
    """NVML as its Python package shows it, of a board with or without a counter."""

    class NVMLError(Exception):
        pass

    def __init__(self, counter: bool) -> None:
        self.counter, self.millijoules, self.milliwatts = counter, 5_000_000, 61_500

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index:
            raise self.NVMLError("Invalid Argument")
        return 7

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"NVIDIA Test"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        if not self.counter:
            raise self.NVMLError("Not Supported")
        return self.millijoules

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return self.milliwatts


def test_the_counter_is_preferred() -> None:
    library: Any = Library(counter=True)
    meter = NvmlMeter(library=library)
    assert (meter.unit, meter.gpu, meter.rails) == ("J", True, ("NVIDIA Test",))
    library.millijoules += 2500
    assert meter.read().value == pytest.approx(2.5)


def test_power_where_there_is_no_counter() -> None:
    meter = NvmlMeter(library=Library(counter=False))
    assert (meter.unit, meter.read().value) == ("W", pytest.approx(61.5))


def test_a_board_that_is_not_there_or_falls_silent() -> None:
    with pytest.raises(MeterError, match="cannot open GPU 1: Invalid Argument"):
        NvmlMeter(1, Library(counter=True))
    library = Library(counter=True)
    meter = NvmlMeter(library=library)
    library.counter = False
    with pytest.raises(MeterError, match="neither energy nor power of NVIDIA Test"):
        meter.read()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MeterError, match="pip install nvidia-ml-py"):
        NvmlMeter()


@pytest.mark.skipif(not Path("/proc/driver/nvidia/version").exists(), reason="no NVIDIA driver on this machine")
def test_on_this_machine() -> None:
    pytest.importorskip("pynvml")
    meter = NvmlMeter()
    first, second = meter.read(), meter.read()
    assert second.time_s >= first.time_s
    assert second.value >= first.value or meter.unit == "W"
