from __future__ import annotations

import pytest

from device_profiles.errors import InputError
from device_profiles.importers.table import Column, PublishedTable


def test_a_table_knows_its_numbers() -> None:
    table = PublishedTable("paper", ("a", "b"), {"pi.latency_ms": Column.of([1, 2.5], [0.1, 5.0])}, ({}, {}))
    quantity = table.quantity("b", "pi.latency_ms")
    assert (quantity.low, quantity.value, quantity.origin) == (0.0, 2.5, "published")
    assert repr(table) == "<PublishedTable paper: 2 entries, pi.latency_ms>"


def test_columns_are_as_long_as_there_are_entries() -> None:
    with pytest.raises(InputError, match=r"pi\.latency_ms has 1 numbers for 2 entries"):
        PublishedTable("paper", ("a", "b"), {"pi.latency_ms": Column.of([1.0])}, ({}, {}))
