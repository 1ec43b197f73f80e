"""Failures stay with the rows they belong to."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.search.estimate import estimate, judged, one_line

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
ARCHS = toy.ToySpace().sample(30, np.random.default_rng(0))


def test_a_batch_is_one_call():
    calls = []
    estimates, errors = estimate(toy.cost(lambda archs: calls.append(len(archs)) or toy.latency(archs)), ARCHS)
    assert calls == [30]
    assert errors == [None] * 30
    np.testing.assert_array_equal(estimates.values, toy.latency(ARCHS))


@pytest.mark.parametrize("error", [ValueError("bad\nwidth"), MemoryError(), RecursionError("deep")])
def test_one_bad_row_does_not_spoil_the_others(error):
    def picky(archs):
        if (archs[:, 0] == 3).any():
            raise error
        return toy.latency(archs)

    estimates, errors = estimate(toy.cost(picky), ARCHS)
    bad = ARCHS[:, 0] == 3
    assert bad.any()
    np.testing.assert_array_equal(np.isnan(estimates.values), bad)
    np.testing.assert_array_equal(estimates.values[~bad], toy.latency(ARCHS)[~bad])
    assert [text is not None for text in errors] == bad.tolist()
    assert all("\n" not in text for text in errors if text)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_passes_through(error):
    def ending(archs):
        raise error

    with pytest.raises(error):
        estimate(toy.cost(ending), ARCHS)


def test_nothing_gives_nothing():
    estimates, errors = estimate(toy.cost(), ARCHS[:0])
    assert (estimates.values.shape, errors) == ((0,), [])


def test_errors_are_one_short_line_without_addresses():
    assert one_line(ValueError("a\n  b at 0x7f1234567890")) == "ValueError: a b at 0x..."
    assert one_line(KeyError("x")) == "KeyError: 'x'"
    assert len(one_line(ValueError("x" * 5000))) == 300


def test_judged_says_per_row_what_is_wrong():
    def answers(archs):
        values = np.array([0.5, np.nan, 1.5, np.inf, 0.4])
        return values, np.array([0.4, np.nan, 1.5, 0.0, np.nan]), np.array([0.6, np.nan, 1.5, np.inf, 0.5])

    assert judged(toy.score(answers), ARCHS[:5]) == [
        ((0.5, 0.4, 0.6), None), (None, "accuracy is nan"), (None, "accuracy is 1.5, outside its bounds 0 to 1"), (None, "accuracy is inf"),
        (None, "the interval of accuracy is nan to 0.5"),
    ]  # fmt: skip
