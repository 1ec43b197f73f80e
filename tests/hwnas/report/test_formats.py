from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.quantity import Quantity
from hwnas.report import formats
from hwnas.report.model import Objective
from hwnas.report.naming import axes, label, objective

LATENCY = Objective("latency_ms", "Latency", "ms", False)
ACCURACY = Objective("accuracy", "Accuracy", "%", True, 100.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.052, "0.0520"),
        (12.34, "12.3"),
        (0.9996, "1.00"),
        (999.6, "1,000"),
        (4810.2, "4,810"),
        (0, "0"),
        (-0.0123, "-0.0123"),
        (math.nan, "–"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert formats.number(value) == text


@given(st.floats(1e-6, 1e6))
def test_what_is_written_is_close_to_what_was_meant(value: float) -> None:
    text = formats.number(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.42, "0.42 s"), (4.26, "4.3 s"), (59.97, "1 min 00 s"), (31.7, "32 s"), (92, "1 min 32 s"), (7530, "2 h 06 min"), (0, "0 s")],
)
def test_durations(value: float, text: str) -> None:
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(812, "812"), (999.9, "1.00 k"), (45_600, "45.6 k"), (1.234e6, "1.23 M"), (2.2e19, "2.2×10^19"), (None, "–")]
)
def test_counts(value: float | None, text: str) -> None:
    assert formats.count(value) == text


def test_small_texts() -> None:
    assert [formats.signed(x) for x in (1.24, -0.41, -0.04)] == ["+1.2", "−0.4", "0.0"]
    assert formats.file_size(52_340) == "52.3 kB"
    assert formats.file_size(12) == "12 B"
    assert formats.plural(1, "point") == "1 point"
    assert formats.plural(1200, "point") == "1,200 points"
    assert formats.percent(None) == "–"


def test_an_interval_has_as_many_decimals_as_its_value() -> None:
    assert LATENCY.full(Quantity(0.052, 0.0498, 0.05512, "predicted")) == "0.0520 ms (0.0498–0.0551)"
    assert ACCURACY.full(Quantity(0.9722, 0.953, 0.9838, "measured")) == "97.2 % (95.3–98.4)"
    assert ACCURACY.full(Quantity(0.9722, 0.9722, 0.9722, "measured")) == "97.2 %"
    assert LATENCY.full(None) == "–"


def test_names_become_words_and_units() -> None:
    assert label("latency_ms") == ("Latency", "ms")
    assert label("area_mm2") == ("Area", "mm²")
    assert label("test_accuracy") == ("Test accuracy", "")
    assert label("ms") == ("Ms", "")


def test_accuracy_is_shown_in_percent_whether_stored_as_share_or_percent() -> None:
    share = objective({"name": "accuracy", "unit": "", "direction": "max"})
    stored = objective({"name": "accuracy", "unit": "%", "direction": "max"})
    assert share.text(0.972) == stored.text(97.2) == "97.2 %"


def test_axes_prefer_accuracy_and_latency() -> None:
    records = [("energy_mj", "mJ", "min"), ("score", "", "max"), ("accuracy", "", "max"), ("latency_ms", "ms", "min")]
    found = [objective({"name": n, "unit": u, "direction": d}) for n, u, d in records]
    gain, cost = axes(found)
    assert (gain and gain.name, cost and cost.name) == ("accuracy", "latency_ms")
    assert axes(found[:3])[1] is found[0]
    gain, cost = axes([found[0], found[3]])
    assert (gain and gain.name, cost and cost.name) == ("latency_ms", "energy_mj")
    assert axes([found[0]]) == (None, found[0])
    assert axes([]) == (None, None)
