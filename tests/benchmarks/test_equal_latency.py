"""What is concluded at equal latency, on candidates whose answer is known."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "equal_latency.py"
    spec = importlib.util.spec_from_file_location("equal_latency", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


equal = _load()


def ways(*rows: tuple[float, float]) -> list[Any]:
    """Candidates of equal validation and test accuracy."""
    return [equal.Candidate(latency, accuracy, accuracy) for latency, accuracy in rows]


def test_the_best_on_validation_images_is_offered_and_judged_on_test_images() -> None:
    flattered, sound = equal.Candidate(1.0, 0.8, 0.9), equal.Candidate(2.0, 0.9, 0.7)
    assert equal.offered([flattered, sound], 0.5) is None
    assert equal.offered([flattered, sound], 1.5) == flattered
    assert equal.offered([flattered, sound], 2.0) == sound
    assert equal.at_limits({"a": [flattered, sound], "b": [sound]}, [1.0, 2.0]) == [
        {"limit_ms": 1.0, "a": 0.9, "b": None},
        {"limit_ms": 2.0, "a": 0.7, "b": 0.7},
    ]


def test_the_mean_gain_weighs_limits_by_their_logarithm() -> None:
    ours, theirs = ways((1, 0.6), (4, 0.9)), ways((2, 0.5), (8, 0.8))
    # From 2 to 4 ms 0.6 - 0.5, from 4 to 8 ms 0.9 - 0.5: as many octaves each.
    assert equal.common_range((ours, theirs)) == (2, 8)
    assert equal.mean_gain(ours, theirs) == pytest.approx(0.25)
    assert equal.mean_gain(theirs, ours) == pytest.approx(-0.25)
    assert equal.mean_gain(ways((1, 0.6)), ways((1, 0.5))) == pytest.approx(0.1)


def test_speed_is_compared_at_equal_accuracy() -> None:
    assert equal.speedup(ways((1, 0.6), (4, 0.9)), ways((3, 0.6), (8, 0.8), (9, 0.95))) == (2.5, 2, 3)
    assert equal.speedup(ways((1, 0.1)), ways((3, 0.6))) == (None, 0, 1)


def test_what_is_dearer_and_worse_is_no_offer() -> None:
    assert equal.speedup(ways((1, 0.6)), ways((2, 0.5), (3, 0.4)))[1:] == (1, 1)


def test_limits_lie_evenly_by_their_logarithm_where_ranges_overlap() -> None:
    assert equal.grid([(1, 16), (0.5, 32)]) == pytest.approx([1, 2, 4, 8, 16])
    assert equal.grid([(4, 5), (6, 7)]) == [6]
    assert math.isclose(equal.grid([(1, 16)], 3)[1], 4)
