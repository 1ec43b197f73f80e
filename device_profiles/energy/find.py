"""Which meters this device has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from device_profiles.energy.hwmon import HwmonMeter, rails
from device_profiles.energy.meter import Meter, MeterError
from device_profiles.energy.nvml import NvmlMeter
from device_profiles.energy.pmic import PmicMeter, tool
from device_profiles.energy.powercap import PowercapMeter, packages

#: The meters of devices by name, the preferred first, each opened for a root of files.
METERS: dict[str, Callable[[Path], Meter]] = {
    "rapl": PowercapMeter, "hwmon": HwmonMeter, "pmic": PmicMeter, "nvml": lambda root: NvmlMeter(),
}  # fmt: skip

#: Boards with the power chip of the Raspberry Pi 5.
_PI_5 = re.compile(r"Raspberry Pi (5|Compute Module 5)")


def find(root: str | Path = "/", problems: list[str] | None = None) -> list[Meter]:
    """The meters that can be read, the preferred first: RAPL, board monitors, the Raspberry Pi 5's power chip, NVML.

    Why a meter that is there cannot be read is added to `problems`, one line each; a meter that is not there is no problem.
    """
    base, found = Path(root), list[Meter]()
    there = {
        "rapl": bool(packages(base)),
        "hwmon": bool(rails(base)),
        "pmic": tool(base) is not None and _PI_5.search(_board(base)) is not None,
        # NVML reads the driver, not a tree of files: only the real root has one.
        "nvml": base == Path("/") and (base / "proc/driver/nvidia/version").exists(),
    }
    for name, opened in METERS.items():
        if there[name]:
            try:
                found.append(opened(base))
            except MeterError as error:
                if problems is not None:
                    problems.append(str(error))
    return found


def meter_for(provider: str, meters: Sequence[Meter]) -> Meter | None:
    """The first meter that sees what a runtime does: one of the GPU for a provider that runs there, any other for the processor."""
    return next((meter for meter in meters if meter.gpu == on_gpu(provider)), None)


def on_gpu(provider: str) -> bool:
    """Whether a runtime's provider runs on a GPU."""
    return any(word in provider.lower() for word in ("cuda", "tensorrt"))


def _board(root: Path) -> str:
    model = root / "proc/device-tree/model"
    return model.read_text(encoding="utf-8", errors="replace") if model.exists() else ""
