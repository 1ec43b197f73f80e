"""The peak memory of a process: how much more it is after something than before.

The high-water mark is `VmHWM` of /proc/self/status where there is one: `ru_maxrss` is inherited from the parent across exec, so a small
child of a large process shows its parent's. Counts pages that are resident, so shared libraries are in it only as far as they are touched.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc/self")


def peak_bytes(proc: Path = _PROC) -> int:
    """The most memory that this process has had resident so far."""
    return _status(proc, "VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def growth(action: Callable[[], object], proc: Path = _PROC) -> int:
    """Bytes by which the peak during `action` lies above what is resident before it; what it returns is alive at the end."""
    before = _forget_peak(proc)
    kept = action()
    after = peak_bytes(proc)
    del kept
    return max(0, after - before)


def _forget_peak(proc: Path) -> int:
    """Sets the high-water mark back to what is resident now, where the kernel lets us; returns the mark."""
    try:
        (proc / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return peak_bytes(proc)  # then what was needed to start is not forgotten, and small networks read as less than they are
    return peak_bytes(proc)


def _status(proc: Path, name: str) -> int | None:
    try:
        lines = (proc / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    value = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), None)
    return int(value) * 1024 if value is not None else None
