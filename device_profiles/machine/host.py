"""What the kernel tells about the machine at this moment. Every function takes the root of the tree of files that it reads.

What cannot be read is None or missing, never a guess.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from device_profiles.energy.meter import read_name
from device_profiles.energy.pmic import tool, vcgencmd

#: Cores whose speeds are within this of the fastest are of the same kind: single cores of one kind have slightly higher turbo clocks.
_SAME_KIND = 0.85

_TICKS = os.sysconf("SC_CLK_TCK")


class CpuTimes(NamedTuple):
    """Seconds of processor time since the start: used by anybody, and withheld by the hypervisor."""

    busy_s: float
    stolen_s: float


class Zone(NamedTuple):
    """A thermal zone: its name, its temperature, and the temperature at which the kernel begins to slow the processor down."""

    name: str
    celsius: float
    passive_celsius: float | None


def allowed_cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def load_average(root: Path) -> float | None:
    """Processes that ran or waited to run, averaged over a minute."""
    text = read_name(root / "proc/loadavg")
    return _number(text.split()[0]) if text else None


def cpu_times(root: Path) -> CpuTimes | None:
    """Processor time over all cores, from the first line of /proc/stat."""
    text = read_name(root / "proc/stat") or ""
    found = re.match(r"cpu +([\d ]+)", text)
    if not found:
        return None
    user, nice, system, _, _, irq, softirq, stolen = ([int(v) for v in found.group(1).split()] + [0] * 8)[:8]
    return CpuTimes((user + nice + system + irq + softirq) / _TICKS, stolen / _TICKS)


def governors(root: Path) -> set[str]:
    """The frequency governors of the cores."""
    return {name for path in _cores(root) if (name := read_name(path / "cpufreq/scaling_governor"))}


def frequencies(root: Path) -> dict[int, tuple[float, float]]:
    """Core -> its clock now and at most, in MHz."""
    found = {}
    for path in _cores(root):
        now, most = (_number(read_name(path / f"cpufreq/{name}")) for name in ("scaling_cur_freq", "cpuinfo_max_freq"))
        if now is not None and most is not None:
            found[_index(path)] = (now / 1e3, most / 1e3)
    return found


def speeds(root: Path) -> dict[int, float]:
    """Core -> how fast it is compared with the others (its capacity, or its highest clock); cores that tell nothing are missing."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        told = {_index(path): value for path in _cores(root) if (value := _number(read_name(path / name)))}
        if told:
            return told
    return {}


def fast_cores(root: Path, allowed: Iterable[int]) -> list[int]:
    """The cores among `allowed` of the fastest kind."""
    told, usable = speeds(root), sorted(allowed)
    most = max((told.get(core, 0.0) for core in usable), default=0.0)
    return [core for core in usable if told.get(core, 0.0) >= _SAME_KIND * most]


def siblings(root: Path, core: int) -> str:
    """A text that is the same for hardware threads of one physical core."""
    return read_name(root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list") or str(core)


def zones(root: Path) -> list[Zone]:
    """The thermal zones that tell a temperature."""
    found = []
    for path in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        celsius = _number(read_name(path / "temp"))
        if celsius is not None:
            kinds = (kind for kind in path.glob("trip_point_*_type") if read_name(kind) == "passive")
            trips = (_number(read_name(path / kind.name.replace("_type", "_temp"))) for kind in kinds)
            found.append(Zone(read_name(path / "type") or path.name, celsius / 1e3, min((t / 1e3 for t in trips if t), default=None)))
    return found


def throttle_count(root: Path) -> int | None:
    """How often x86 cores and packages were slowed down because of their heat since the start, summed."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [value for path in files if (value := _number(read_name(path))) is not None]
    return int(sum(counts)) if counts else None


def firmware_flags(root: Path) -> int | None:
    """The throttling flags of a Raspberry Pi: bits 0 to 3 now, bits 16 to 19 since its start. Raises MeterError without an answer."""
    path = tool(root)
    if path is None:
        return None
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", vcgencmd(path, "get_throttled"))
    return int(found.group(1), 16) if found else None


def discharging(root: Path) -> str | None:
    """The battery of this machine that is running down, if there is one; batteries of mice and keyboards do not count."""
    for path in sorted((root / "sys/class/power_supply").glob("*")):
        if read_name(path / "type") == "Battery" and read_name(path / "scope") != "Device" and read_name(path / "status") == "Discharging":
            return path.name
    return None


def cpu_quota(root: Path) -> float | None:
    """How many cores' worth of time a container may use; None without a limit."""
    text = (read_name(root / "sys/fs/cgroup/cpu.max") or "max").split()
    return int(text[0]) / int(text[1]) if len(text) == 2 and text[0].isdigit() and text[1].isdigit() else None


def _cores(root: Path) -> list[Path]:
    return sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"), key=_index)


def _index(path: Path) -> int:
    return int(path.name.removeprefix("cpu"))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
