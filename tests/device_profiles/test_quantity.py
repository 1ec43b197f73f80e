from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import DeviceError, HwnasError, InputError, unknown
from device_profiles.quantity import ORIGINS, Quantity


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9), st.sampled_from(ORIGINS))
def test_json_round_trip(value: float, below: float, above: float, origin: str) -> None:
    quantity = Quantity(value, value - below, value + above, origin)
    assert Quantity.from_json(quantity.to_json()) == quantity


@pytest.mark.parametrize(
    "arguments",
    [(1.0, 2.0, 3.0, "measured"), (1.0, 0.0, 0.5, "measured"), (float("nan"), 0.0, 1.0, "measured"), (1.0, 0.0, 2.0, "invented")],
)
def test_what_is_no_quantity_is_refused(arguments: tuple[float, float, float, str]) -> None:
    with pytest.raises(InputError):
        Quantity(*arguments)


def test_missing_fields() -> None:
    with pytest.raises(InputError, match="low"):
        Quantity.from_json({"value": 1})


def test_scaling_scales_the_interval() -> None:
    assert Quantity(2.0, 1.0, 4.0, "predicted").scaled(10) == Quantity(20.0, 10.0, 40.0, "predicted")


def test_exit_codes_and_suggestions() -> None:
    assert (HwnasError.exit_code, InputError.exit_code, DeviceError.exit_code) == (1, 2, 3)
    assert "did you mean 'nsga2'" in str(unknown("algorithm", "nsga", ["nsga2", "random"]))
    assert "did you mean" not in str(unknown("algorithm", "xyz", ["nsga2", "random"]))
