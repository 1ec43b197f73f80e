"""What this device is: enough to tell whether a profile was made here, nothing that names a person or a host."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

#: Instruction sets that decide which kernels a runtime picks.
_ISA = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_int8",
    "avx_vnni",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
    "bf16",
    "fphp",
)

#: What must agree for two measurements to be of the same device.
IDENTITY = ("cpu", "cores", "architecture", "isa")


def device_fingerprint() -> dict[str, Any]:
    """Processor, cores, instruction sets, memory, system, frequency governor. Fields that cannot be read are None, never invented."""
    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return {
        "cpu": info.get("model name") or _board() or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "isa": [name for name in _ISA if name in flags],
        "memory_mb": _memory_mb(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "virtual": "hypervisor" in flags,
        "python": platform.python_version(),
    }


def device_name(device: dict[str, Any], runtime: dict[str, Any]) -> str:
    """The short name of a device, such as `xeon-2.80ghz/onnxruntime/1t`."""
    cpu = re.sub(r"\((r|tm)\)|\b(cpu|processor|intel|with|radeon|graphics|core)\b|\brev [\d.]+", " ", str(device.get("cpu", "cpu")).lower())
    slug = "-".join(re.findall(r"[a-z0-9.]+", cpu)) or "cpu"
    return f"{slug}/{runtime.get('name')}/{runtime.get('threads')}t"


def differences(device: dict[str, Any], runtime: dict[str, Any], other_device: dict[str, Any], other_runtime: dict[str, Any]) -> list[str]:
    """What differs between two devices in a way that makes their numbers different things; empty when nothing does."""
    found = [f"{k} {device.get(k)!r} is not {other_device.get(k)!r}" for k in IDENTITY if device.get(k) != other_device.get(k)]
    keys = ("name", "version", "threads", "provider")
    return found + [
        f"runtime {k} {runtime.get(k)!r} is not {other_runtime.get(k)!r}" for k in keys if runtime.get(k) != other_runtime.get(k)
    ]


def _cpuinfo() -> dict[str, str]:
    text = _read("/proc/cpuinfo") or ""
    pairs = (line.partition(":") for line in text.splitlines())
    info: dict[str, str] = {}
    for key, colon, value in pairs:
        if colon:
            info.setdefault(key.strip(), value.strip())
    return info


def _board() -> str | None:
    text = _read("/proc/device-tree/model")
    return text.strip("\x00 ") if text else _cpuinfo().get("Model")


def _memory_mb() -> int | None:
    match = re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo") or "")
    return int(match.group(1)) // 1024 if match else None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
