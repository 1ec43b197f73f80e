from __future__ import annotations

from typing import Any

import pytest

from device_profiles import extras
from device_profiles.errors import InputError
from device_profiles.quantity import Quantity

NUMBER = {"value": 2.0, "low": 1.0, "high": 3.0, "origin": "measured"}
ENERGY = {
    "type": "energy", "key": "energy/a", "of": "a", "status": "ok",
    "energy_mj": NUMBER, "total_energy_mj": NUMBER, "power_w": NUMBER,
}  # fmt: skip
MEMORY = {"type": "memory", "key": "memory/a", "of": "a", "status": "ok", "memory_mb": NUMBER}
CONDITIONS = {"type": "conditions", "key": "conditions/0", "before": ["It rains."], "during": []}


@pytest.mark.parametrize("line", [ENERGY, MEMORY, CONDITIONS, {**ENERGY, "status": "failed", "energy_mj": None}])
def test_what_was_written_is_accepted(line: dict[str, Any]) -> None:
    extras.check(line)


@pytest.mark.parametrize(
    "line",
    [
        {**ENERGY, "energy_mj": {**NUMBER, "value": 0.0, "low": 0.0}},
        {**ENERGY, "power_w": {**NUMBER, "low": -1.0}},
        {**ENERGY, "energy_mj": {**NUMBER, "high": 1e300}},
        {**ENERGY, "energy_mj": 2.0},
        {**ENERGY, "of": "b"},
        {k: v for k, v in ENERGY.items() if k != "total_energy_mj"},
        {**MEMORY, "memory_mb": {**NUMBER, "value": -2.0, "low": -3.0}},
        {**CONDITIONS, "during": [1]},
        {**CONDITIONS, "before": None},
    ],
)
def test_anything_else_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises((InputError, KeyError, TypeError)):
        extras.check(line)


def test_quantities_by_what_they_belong_to() -> None:
    failed = {**ENERGY, "of": "b", "key": "energy/b", "status": "failed"}
    lines = [ENERGY, failed, MEMORY, CONDITIONS]
    assert extras.quantities(lines, "energy_mj") == {"a": Quantity(2.0, 1.0, 3.0, "measured")}
    assert extras.quantities(lines, "memory_mb") == {"a": Quantity(2.0, 1.0, 3.0, "measured")}
