"""Power monitors on boards, through hwmon: INA219, INA226, INA260, INA3221 (as on Jetson boards) and their kin.

Millivolts in `in*_input` times milliamperes in `curr*_input`, or microwatts in `power*_input`; rails are named by their labels.
Documentation/hwmon/sysfs-interface.rst and Documentation/hwmon/ina3221.rst of the Linux kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from device_profiles.energy.meter import Meter, MeterError, Reading, now, read_name, read_number

#: Chips that measure a supply; other hwmon folders tell the power of a graphics card, a disk or a fan.
_CHIP = re.compile(r"ina\d+[a-z]?")

#: A rail that feeds the whole module: where there is one, the others are parts of it.
_INPUTS = frozenset({"VDD_IN", "POM_5V_IN", "5V_IN"})

#: Rails that are fed by another rail which is measured too: {part: whole} (Jetson AGX Orin: its memory hangs on the 5 V input).
_PARTS = {"VDDQ_VDD2_1V8AO": "VIN_SYS_5V0"}

#: The INA3221 has three channels; what follows them are shunt voltages and sums of what was there already.
_CHANNELS = {"ina3221": 3}


class Rail(NamedTuple):
    """One measured supply: its name and how to read its watts."""

    name: str
    watts: Callable[[], float]


class HwmonMeter(Meter):
    """The power of all rails of a board that do not hold each other. Raises MeterError when there is none, or one cannot be read."""

    name = "hwmon"
    unit: Literal["J", "W"] = "W"
    covers = "rails of the board"
    period_s = 0.01
    resolution = 0.005  # a step of the current (1 mA) at 5 V

    def __init__(self, root: str | Path = "/") -> None:
        self._rails = choose(rails(root))
        if not self._rails:
            raise MeterError(f"no power monitor (INA219, INA3221, ...) below {Path(root) / 'sys/class/hwmon'}")
        self.rails = tuple(rail.name for rail in self._rails)
        self.read()

    def read(self) -> Reading:
        """Watts now."""
        before = now()
        watts = sum(rail.watts() for rail in self._rails)
        return Reading((before + now()) / 2, watts)


def choose(found: list[Rail]) -> list[Rail]:
    """The rails to add up: the input of the whole module alone where it is measured, else all that are no part of another."""
    names = {rail.name for rail in found}
    whole = [rail for rail in found if rail.name in _INPUTS]
    return whole[:1] or [rail for rail in found if _PARTS.get(rail.name) not in names]


def rails(root: str | Path = "/") -> list[Rail]:
    """All rails that are measured and connected, chip by chip."""
    found: list[Rail] = []
    for folder in sorted((Path(root) / "sys/class/hwmon").glob("hwmon*"), key=lambda path: (len(path.name), path.name)):
        chip = read_name(folder / "name") or ""
        if _CHIP.fullmatch(chip):
            found += _chip_rails(folder, chip)
    return found


def _chip_rails(folder: Path, chip: str) -> list[Rail]:
    """The rails of one chip. Its own product of current and voltage is preferred, because both are of the same moment."""
    found = []
    for number in range(1, _CHANNELS.get(chip, 9) + 1):
        power, current, voltage = (folder / f"{kind}{number}_input" for kind in ("power", "curr", "in"))
        label = read_name(folder / f"in{number}_label") or read_name(folder / f"power{number}_label")
        if label == "NC" or read_name(folder / f"in{number}_enable") == "0":
            continue
        rail = label or f"{chip}-{folder.name.removeprefix('hwmon')}.{number}"
        if power.exists():
            found.append(Rail(rail, lambda power=power: read_number(power) / 1e6))  # type: ignore[misc]
        elif current.exists() and voltage.exists():
            found.append(Rail(rail, lambda c=current, v=voltage: read_number(c) * read_number(v) / 1e6))  # type: ignore[misc]
    return found
