from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from device_profiles.energy.hwmon import HwmonMeter, rails
from device_profiles.energy.meter import MeterError

Tree = Callable[[dict[str, object]], Path]


def chip(number: int, name: str, files: dict[str, object]) -> dict[str, object]:
    base = f"sys/class/hwmon/hwmon{number}"
    return {f"{base}/name": name, **{f"{base}/{file}": content for file, content in files.items()}}


#: What Jetson boards show: AGX Orin (no rail of the whole module) and Orin Nano (VDD_IN holds the others).
AGX_ORIN = {
    **chip(3, "ina3221", {
        "in1_label": "VDD_GPU_SOC", "in1_input": 8000, "curr1_input": 500, "in1_enable": 1,
        "in2_label": "VDD_CPU_CV", "in2_input": 8000, "curr2_input": 250, "in2_enable": 1,
        "in3_label": "VIN_SYS_5V0", "in3_input": 5000, "curr3_input": 900, "in3_enable": 1,
        "in4_input": 1000, "in5_input": 500, "in6_input": 1800, "in7_label": "sum of shunt voltages", "in7_input": 3300,
        "curr4_input": 1650,
    }),
    **chip(4, "ina3221", {
        "in1_label": "NC", "in1_input": 0, "curr1_input": 0,
        "in2_label": "VDDQ_VDD2_1V8AO", "in2_input": 5000, "curr2_input": 200,
        "in3_enable": 0, "in3_input": 0, "curr3_input": 0,
    }),
}  # fmt: skip
ORIN_NANO = chip(1, "ina3221", {
    "in1_label": "VDD_IN", "in1_input": 5000, "curr1_input": 1200,
    "in2_label": "VDD_CPU_GPU_CV", "in2_input": 5000, "curr2_input": 300,
    "in3_label": "VDD_SOC", "in3_input": 5000, "curr3_input": 280,
})  # fmt: skip


def test_rails_that_hold_each_other_are_counted_once(tree: Tree) -> None:
    meter = HwmonMeter(tree(AGX_ORIN))
    assert meter.rails == ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
    assert meter.read().value == pytest.approx(4.0 + 2.0 + 4.5)


def test_the_input_of_the_module_is_taken_alone(tree: Tree) -> None:
    meter = HwmonMeter(tree(ORIN_NANO))
    assert meter.rails == ("VDD_IN",)
    assert meter.read().value == pytest.approx(6.0)


def test_the_own_product_of_a_chip_is_preferred(tree: Tree) -> None:
    # An INA219: in0 is the shunt voltage, in1 the supply, and power1 their product of one moment.
    meter = HwmonMeter(tree(chip(0, "ina219", {"in0_input": 10, "in1_input": 5000, "curr1_input": 100, "power1_input": 512_000})))
    assert meter.rails == ("ina219-0.1",)
    assert meter.read().value == pytest.approx(0.512)


def test_other_chips_are_no_meters_of_the_board(tree: Tree) -> None:
    root = tree({
        **chip(0, "amdgpu", {"power1_input": 30_000_000, "power1_label": "PPT"}),
        **chip(1, "nvme", {"temp1_input": 40_000}),
        **chip(2, "inaudible", {"power1_input": 1}),
    })  # fmt: skip
    assert rails(root) == []
    with pytest.raises(MeterError, match="no power monitor"):
        HwmonMeter(root)


def test_a_rail_that_cannot_be_read_is_no_zero(tree: Tree) -> None:
    root = tree(ORIN_NANO)
    meter = HwmonMeter(root)
    (root / "sys/class/hwmon/hwmon1/curr1_input").unlink()
    with pytest.raises(MeterError, match=r"curr1_input cannot be read"):
        meter.read()
