"""The power management chip of the Raspberry Pi 5, through `vcgencmd pmic_read_adc`.

It prints one line per value, such as `VDD_CORE_A current(7)=0.85090000A` and `VDD_CORE_V volt(15)=0.87657810V`. What the board draws beyond
these rails (USB, losses of the converters) is not in them.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Literal

from device_profiles.energy.meter import Meter, MeterError, Reading, now

_LINE = re.compile(r"^\s*(\w+)_(A|V)\s+(?:current|volt)\(\d+\)=(-?[\d.]+)(?:A|V)\s*$", re.MULTILINE)

#: Where the firmware tool lies.
_PLACES = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")

#: Seconds that one call of it may take.
_LIMIT_S = 5.0


class PmicMeter(Meter):
    """The sum of the rails of which the chip tells both current and voltage. Raises MeterError when it tells of none."""

    name = "pmic"
    unit: Literal["J", "W"] = "W"
    covers = "rails of the Raspberry Pi 5 power chip, without USB and losses of the converters"
    period_s = 0.1  # every reading starts a process; more of them would be a load of their own
    resolution = 0.001

    def __init__(self, root: str | Path = "/") -> None:
        self._tool = tool(root)
        if self._tool is None:
            raise MeterError(f"no vcgencmd below {root}")
        self.rails = tuple(sorted(rail_watts(self._ask())))
        if not self.rails:
            raise MeterError("vcgencmd pmic_read_adc tells of no rail with current and voltage (only the Raspberry Pi 5 has them)")

    def read(self) -> Reading:
        """Watts now."""
        before = now()
        watts = rail_watts(self._ask())
        if tuple(sorted(watts)) != self.rails:
            raise MeterError(f"vcgencmd pmic_read_adc told of {len(watts)} rails and not of {len(self.rails)} as before")
        return Reading((before + now()) / 2, sum(watts.values()))

    def _ask(self) -> str:
        return vcgencmd(self._tool, "pmic_read_adc")


def tool(root: str | Path = "/") -> Path | None:
    """The firmware tool of a Raspberry Pi; None on other devices."""
    return next((path for place in _PLACES if (path := Path(root) / place).exists()), None)


def vcgencmd(path: Path | None, command: str) -> str:
    """What the firmware tool answers. Raises MeterError when it cannot."""
    try:
        done = subprocess.run([str(path), command], capture_output=True, text=True, timeout=_LIMIT_S, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeterError(f"{path} {command} cannot be run: {' '.join(str(error).split())[:150]}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:150]
        raise MeterError(f"{path} {command} failed: {said or f'exit status {done.returncode}'} (may need the group 'video')")
    return done.stdout


def rail_watts(text: str) -> dict[str, float]:
    """Watts of every rail with a current and a voltage in what `pmic_read_adc` printed."""
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for name, kind, number in _LINE.findall(text):
        try:
            values[kind][name] = float(number)
        except ValueError as error:
            raise MeterError(f"vcgencmd pmic_read_adc gave {number!r} for {name}_{kind}, which is no number") from error
    return {name: amperes * values["V"][name] for name, amperes in values["A"].items() if name in values["V"]}
