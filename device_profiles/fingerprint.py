"""What this device is: enough to tell whether a profile was made here, nothing that names a person or a host."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from device_profiles.errors import DeviceError

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


def device_fingerprint(root: Path = Path("/")) -> dict[str, Any]:
    """Processor, cores, instruction sets, memory, system, frequency governor, whether the processor is emulated.

    Read from the files below `root`. Fields that cannot be read are None, never invented.
    """
    info = _cpuinfo(root)
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return {
        "cpu": info.get("model name") or _board(root) or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "isa": [name for name in _ISA if name in flags],
        "memory_mb": _memory_mb(root),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "virtual": "hypervisor" in flags,
        "emulated": emulation(root, platform.machine()) is not None,
        "python": platform.python_version(),
    }


def refuse_emulated(device: dict[str, Any]) -> None:
    """Raises DeviceError for a processor that is emulated: its times say nothing about the real one."""
    if device.get("emulated"):
        raise DeviceError(
            "this processor is emulated, so its times say nothing about a real one; measure on the board itself "
            "(functional=True tries the way without measuring)"
        )


def emulation(root: Path, machine: str) -> str | None:
    """What gives away that a processor of the kind `machine` is emulated; None when nothing does.

    An emulator of user programs shows its programs the files of the real kernel: its own name behind `/proc/self/task/*/exe` (it only
    hides `/proc/self/exe`), and the kind of the real processor.
    """
    for task in (root / "proc/self/task").glob("*"):
        program = _program(task / "exe")
        if program.startswith(("qemu-", "box64", "FEX")):
            return f"this program runs inside {program}"
    kernel = _read(root / "proc/sys/kernel/arch")
    if kernel and _family(kernel) != _family(machine):
        return f"the kernel runs on {kernel}"
    modalias = re.match(r"cpu:type:(\w+)", _read(root / "sys/devices/system/cpu/modalias") or "")
    if modalias and _family(modalias.group(1)) != _family(machine):
        return f"the cores are of type {modalias.group(1)}"
    info = _cpuinfo(root)
    if info.get("vendor_id") == "VirtualApple" or "QEMU TCG" in info.get("model name", ""):
        return f"the processor calls itself {info.get('model name', 'VirtualApple')}"
    return None


def _program(exe: Path) -> str:
    """The name of the program behind a link of /proc, which need not lead to a file that is visible here."""
    try:
        return exe.readlink().name
    except OSError:
        return ""


def _family(machine: str) -> str:
    """Processors of one family run each other's programs themselves, older and narrower ones too."""
    name = machine.lower()
    if name in ("x86", "x86_64", "amd64") or re.fullmatch(r"i\d86", name):
        return "x86"
    return "arm" if name.startswith(("arm", "aarch")) else name


def device_name(device: dict[str, Any], runtime: dict[str, Any]) -> str:
    """The short name of a device, such as `xeon-2.80ghz/onnxruntime/1t`."""
    cpu = re.sub(r"\((r|tm)\)|\b(cpu|processor|intel|with|radeon|graphics|core)\b|\brev [\d.]+", " ", str(device.get("cpu", "cpu")).lower())
    slug = "-".join(re.findall(r"[a-z0-9.]+", cpu)) or "cpu"
    return f"{slug}/{runtime.get('name')}/{runtime.get('threads')}t"


def differences(device: dict[str, Any], runtime: dict[str, Any], other_device: dict[str, Any], other_runtime: dict[str, Any]) -> list[str]:
    """What differs between two devices in a way that makes their numbers different things; empty when nothing does."""
    found = [f"{k} {device.get(k)!r} is not {other_device.get(k)!r}" for k in IDENTITY if device.get(k) != other_device.get(k)]
    if bool(device.get("emulated")) != bool(other_device.get("emulated")):
        found.append(f"emulated {bool(device.get('emulated'))} is not {bool(other_device.get('emulated'))}")
    keys = ("name", "version", "threads", "provider")
    return found + [
        f"runtime {k} {runtime.get(k)!r} is not {other_runtime.get(k)!r}" for k in keys if runtime.get(k) != other_runtime.get(k)
    ]


def _cpuinfo(root: Path) -> dict[str, str]:
    text = _read(root / "proc/cpuinfo") or ""
    pairs = (line.partition(":") for line in text.splitlines())
    info: dict[str, str] = {}
    for key, colon, value in pairs:
        if colon:
            info.setdefault(key.strip(), value.strip())
    return info


def _board(root: Path) -> str | None:
    text = _read(root / "proc/device-tree/model")
    return text.strip("\x00 ") if text else _cpuinfo(root).get("Model")


def _memory_mb(root: Path) -> int | None:
    match = re.search(r"MemTotal:\s+(\d+)", _read(root / "proc/meminfo") or "")
    return int(match.group(1)) // 1024 if match else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
