"""RAPL through powercap: the energy counters inside x86 processors.

`/sys/class/powercap/intel-rapl:N` is one package each (AMD processors use the same names); `energy_uj` counts microjoules and starts again
from 0 after `max_energy_range_uj`. Documentation/power/powercap/powercap.rst of the Linux kernel.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from device_profiles.energy.meter import Meter, MeterError, Reading, now, read_name, read_number


class PowercapMeter(Meter):
    """The sum of all packages. Their cores and graphics are parts of them and are not added again; memory outside is not in it.

    Raises MeterError when there is no package, or one of them cannot be read.
    """

    name = "rapl"
    unit: Literal["J", "W"] = "J"
    covers = "processor packages, without memory and board"
    period_s = 0.001  # the counters are renewed about every millisecond
    resolution = 61e-6  # the usual energy unit, 2^-14 J

    def __init__(self, root: str | Path = "/") -> None:
        self._domains = packages(root)
        if not self._domains:
            raise MeterError(f"no RAPL package below {Path(root) / 'sys/class/powercap'}")
        self.rails = tuple(read_name(path / "name") or path.name for path in self._domains)
        self._range = [read_number(path / "max_energy_range_uj") for path in self._domains]
        self._last = [read_number(path / "energy_uj") for path in self._domains]
        self._microjoules = 0.0

    def read(self) -> Reading:
        """Joules since opening. A counter that is lower than before has wrapped once: read it more often than it can wrap (minutes)."""
        for index, path in enumerate(self._domains):
            value = read_number(path / "energy_uj")
            step = value - self._last[index]
            if step < 0:
                step += self._range[index]
            if step < 0:
                raise MeterError(f"{path / 'energy_uj'} fell by more than its range of {self._range[index]:.0f} uJ: it is no RAPL counter")
            self._microjoules += step
            self._last[index] = value
        return Reading(now(), self._microjoules / 1e6)


def packages(root: str | Path = "/") -> list[Path]:
    """The powercap folders of whole packages below a root, in order of their number.

    A package may be listed a second time through the memory-mapped interface (`intel-rapl-mmio`), and `psys` holds the packages: neither
    is added.
    """
    folders = (Path(root) / "sys/class/powercap").glob("intel-rapl:*")
    whole = [path for path in folders if re.fullmatch(r"intel-rapl:\d+", path.name) and read_name(path / "name") != "psys"]
    return sorted(whole, key=lambda path: int(path.name.rpartition(":")[2]))
