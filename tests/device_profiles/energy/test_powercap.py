from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from device_profiles.energy.meter import MeterError
from device_profiles.energy.powercap import PowercapMeter, packages

BASE = "sys/class/powercap"


def test_packages_are_summed_and_their_parts_are_not(rapl: Callable[..., Path]) -> None:
    root = rapl(packages=2, energy_uj=5_000_000)
    meter = PowercapMeter(root)
    assert meter.rails == ("package-0", "package-1")
    assert meter.read().value == 0
    (root / BASE / "intel-rapl:0/energy_uj").write_text("6500000\n")
    (root / BASE / "intel-rapl:1/energy_uj").write_text("5250000\n")
    (root / BASE / "intel-rapl:0:0/energy_uj").write_text("99000000\n")
    (root / BASE / "intel-rapl-mmio:0/energy_uj").write_text("99000000\n")
    (root / BASE / "intel-rapl:2/energy_uj").write_text("99000000\n")
    assert meter.read().value == pytest.approx(1.75)


def test_a_counter_that_wraps_goes_on(rapl: Callable[..., Path]) -> None:
    root = rapl(energy_uj=900_000, range_uj=1_000_000)
    meter = PowercapMeter(root)
    file = root / BASE / "intel-rapl:0/energy_uj"
    for value, joules in ((50_000, 0.15), (950_000, 1.05), (0, 1.10), (0, 1.10)):
        file.write_text(f"{value}\n")
        assert meter.read().value == pytest.approx(joules)


def test_more_packages_than_nine_come_in_order(rapl: Callable[..., Path]) -> None:
    assert [path.name for path in packages(rapl(packages=11))] == [f"intel-rapl:{i}" for i in range(11)]


def test_a_counter_that_cannot_be_read_says_what_is_needed(rapl: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = rapl()
    file = root / BASE / "intel-rapl:0/energy_uj"
    file.chmod(0)
    if os.access(file, os.R_OK):  # root reads everything: let the system say what it says to a user
        read = Path.read_text

        def denied(path: Path, *args: object, **options: object) -> str:
            if path == file:
                raise PermissionError(13, "Permission denied")
            return read(path, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(MeterError, match=r"needs read permission on .*intel-rapl:0/energy_uj"):
        PowercapMeter(root)


@pytest.mark.parametrize("content", ["", "many", "1.5", "-"])
def test_what_is_no_number_is_refused(rapl: Callable[..., Path], content: str) -> None:
    root = rapl()
    meter = PowercapMeter(root)
    (root / BASE / "intel-rapl:0/energy_uj").write_text(content)
    with pytest.raises(MeterError, match="not a whole number"):
        meter.read()


def test_a_counter_that_vanishes_and_one_that_is_none(rapl: Callable[..., Path], tmp_path: Path) -> None:
    root = rapl(energy_uj=5_000_000, range_uj=1_000_000)
    meter = PowercapMeter(root)
    file = root / BASE / "intel-rapl:0/energy_uj"
    file.write_text("1000\n")
    with pytest.raises(MeterError, match="fell by more than its range"):
        meter.read()
    file.unlink()
    with pytest.raises(MeterError, match="cannot be read"):
        meter.read()
    with pytest.raises(MeterError, match="no RAPL package"):
        PowercapMeter(tmp_path / "elsewhere")
