from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pytest


def put(root: Path, files: dict[str, object]) -> Path:
    """Writes a tree of small files, as sysfs shows them."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="utf-8")
    return root


def powercap(root: Path, *, packages: int = 1, energy_uj: int = 0, range_uj: int = 262_143_328_850) -> Path:
    """The powercap tree of an x86 machine: packages with their cores below them, one of them listed again, and the platform."""
    base = "sys/class/powercap"
    for number in range(packages):
        put(
            root,
            {
                f"{base}/intel-rapl:{number}/name": f"package-{number}",
                f"{base}/intel-rapl:{number}/energy_uj": energy_uj,
                f"{base}/intel-rapl:{number}/max_energy_range_uj": range_uj,
                f"{base}/intel-rapl:{number}:0/name": "core",
                f"{base}/intel-rapl:{number}:0/energy_uj": energy_uj // 2,
                f"{base}/intel-rapl:{number}:0/max_energy_range_uj": range_uj,
                f"{base}/intel-rapl-mmio:{number}/name": f"package-{number}",
                f"{base}/intel-rapl-mmio:{number}/energy_uj": energy_uj,
            },
        )
    return put(root, {f"{base}/intel-rapl:{packages}/name": "psys", f"{base}/intel-rapl:{packages}/energy_uj": 7})


class Machine:
    """A synthetic machine of known power: a thread advances its RAPL counter, which wraps every `range_uj`."""

    def __init__(self, root: Path, watts: Callable[[], float], range_uj: int) -> None:
        self.root, self.watts, self.range_uj = powercap(root, range_uj=range_uj), watts, range_uj
        self.joules, self._end = 0.0, threading.Event()
        self._file = root / "sys/class/powercap/intel-rapl:0/energy_uj"
        self._lock, self._time = threading.Lock(), time.monotonic()
        self._thread = threading.Thread(target=self._advance)

    def account(self) -> None:
        """Adds what was drawn since the last time; call it before the power changes."""
        with self._lock:
            now = time.monotonic()
            self.joules += self.watts() * (now - self._time)
            self._time = now

    def _advance(self) -> None:
        fresh = self._file.with_name("fresh")
        while not self._end.wait(0.001):
            self.account()
            fresh.write_text(f"{int(self.joules * 1e6) % self.range_uj}\n")
            os.replace(fresh, self._file)

    def __enter__(self) -> Machine:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[dict[str, object]], Path]:
    """Writes files below a root of the test and returns the root."""
    return lambda files: put(tmp_path, files)


@pytest.fixture
def rapl(tmp_path: Path) -> Callable[..., Path]:
    """Writes a powercap tree below a root of the test and returns the root."""
    return lambda **options: powercap(tmp_path, **options)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    """Makes a synthetic machine with its files below a root of the test."""
    return lambda watts, range_uj: Machine(tmp_path, watts, range_uj)
