"""An emulated board: 64-bit Arm, Cortex-A72, Debian, the files that a Raspberry Pi 4 shows, and only numpy and onnxruntime."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / "build" / "aarch64"
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

Hardware\t: BCM2835
Revision\t: c03115
Model\t\t: Raspberry Pi 4 Model B Rev 1.5
"""


@dataclass(frozen=True)
class Board:
    """`python` starts the emulated Python; `environment` is what it needs."""

    python: str
    environment: dict[str, str]


def _packages(folder: Path) -> None:
    """The wheels for Arm, unpacked: there is no pip in the emulated system, and none is needed."""
    platforms = [part for tag in ("2_28", "2_27", "2_17") for part in ("--platform", f"manylinux_{tag}_aarch64")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation", "cp",
               "--python-version", "3.11", *platforms, "--dest", str(folder / "wheels"), "numpy", "onnxruntime"]  # fmt: skip
    subprocess.run(command, check=True)
    for wheel in (folder / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")


def _system(folder: Path) -> None:
    """Debian unpacked, nothing of it run. Programs of the guest are started through a script, for which no kernel support is needed."""
    root = folder / "root"
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        "--arch=arm64",
        "--include=python3,libstdc++6,libgomp1",
        "bookworm",
        str(root),
    ]
    subprocess.run(command, check=True)
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(CPUINFO)  # the emulator shows files of the root before those of the host
    launcher = folder / "python3"
    launcher.write_text(f'#!/bin/sh\nexec qemu-aarch64-static -0 "{launcher}" -L "{root}" "{root}/usr/bin/python3.11" "$@"\n')
    launcher.chmod(0o755)


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    if "HWNAS_AARCH64" not in os.environ:
        pytest.skip("downloads an Arm system and runs it slowly: make test-aarch64")
    missing = [name for name in ("qemu-aarch64-static", "mmdebstrap") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing: apt-get install qemu-user-static mmdebstrap")
    if not (CACHE / "complete").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        _system(CACHE)
        _packages(CACHE)
        (CACHE / "complete").touch()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "QEMU_CPU": "cortex-a72",
        "PYTHONHOME": str(CACHE / "root" / "usr"), "PYTHONPATH": str(CACHE / "site"),
    }  # fmt: skip
    return Board(str(CACHE / "python3"), environment)
