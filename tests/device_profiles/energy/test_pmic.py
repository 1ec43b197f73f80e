from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from device_profiles.energy.meter import MeterError
from device_profiles.energy.pmic import PmicMeter, rail_watts

#: In the form in which the firmware of a Raspberry Pi 5 prints it.
PRINTED = """     3V7_WL_SW_A current(0)=0.09000000A
       3V3_SYS_A current(1)=0.10000000A
      VDD_CORE_A current(7)=0.85000000A
          HDMI_A current(22)=0.02000000A
     3V7_WL_SW_V volt(8)=3.70000000V
       3V3_SYS_V volt(9)=3.30000000V
      VDD_CORE_V volt(15)=0.90000000V
          HDMI_V volt(23)=5.00000000V
         EXT5V_V volt(24)=5.15000000V
          BATT_V volt(25)=0.00000000V
"""


def fake(root: Path, script: str) -> Path:
    path = root / "usr/bin/vcgencmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return root


def printing(root: Path, text: str) -> Path:
    (root / "printed").write_text(text)
    return fake(root, f'test "$1" = pmic_read_adc && cat "{root}/printed"')


def test_rails_with_current_and_voltage_are_summed(tmp_path: Path) -> None:
    watts = rail_watts(PRINTED)
    assert watts["VDD_CORE"] == pytest.approx(0.765)
    assert set(watts) == {"3V7_WL_SW", "3V3_SYS", "VDD_CORE", "HDMI"}
    meter = PmicMeter(printing(tmp_path, PRINTED))
    assert meter.read().value == pytest.approx(0.333 + 0.33 + 0.765 + 0.1)
    assert meter.rails == ("3V3_SYS", "3V7_WL_SW", "HDMI", "VDD_CORE")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'VCHI initialization failed' >&2; exit 1", r"VCHI initialization failed.*group 'video'"),
        ("echo 'error=1 error_msg=\"Command not registered\"'", "only the Raspberry Pi 5"),
        ("echo 'VDD_CORE_A current(7)=0.8.5A'; echo 'VDD_CORE_V volt(15)=0.9V'", "no number"),
    ],
)
def test_a_firmware_that_does_not_tell(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(MeterError, match=message):
        PmicMeter(fake(tmp_path, script))


def test_a_rail_that_vanishes_is_no_zero(tmp_path: Path) -> None:
    meter = PmicMeter(printing(tmp_path, PRINTED))
    printing(tmp_path, PRINTED.replace("HDMI_V", "HDMI_W"))
    with pytest.raises(MeterError, match="3 rails and not of 4"):
        meter.read()


def test_no_tool(tmp_path: Path, tree: Callable[[dict[str, object]], Path]) -> None:
    with pytest.raises(MeterError, match="no vcgencmd"):
        PmicMeter(tmp_path)
