from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.head import PRIOR_NETWORK, Doubt, ResidualHead


def test_without_networks_it_is_the_sum_plus_the_empty_call() -> None:
    assert ResidualHead.fit([], [], [], floor_ms=0.004) == ResidualHead(0.004, 1.0, 0.0)


def test_finds_call_scale_and_dispatch() -> None:
    rng = np.random.default_rng(0)
    sums, counts = np.exp(rng.uniform(-4, 3, 60)), rng.integers(5, 200, 60)
    head = ResidualHead.fit(sums, counts, 0.02 + 0.93 * sums + 0.0005 * counts, floor_ms=0.01)
    assert head.call_ms == pytest.approx(0.02, rel=0.2)
    assert head.scale == pytest.approx(0.93, rel=0.02)
    assert head.dispatch_ms == pytest.approx(0.0005, rel=0.1)


def test_one_network_moves_it_only_a_little() -> None:
    head = ResidualHead.fit([1.0], [10], [1.1], floor_ms=0.004)
    assert 1.0 < head.scale < 1.1
    assert head.network_ms([1.0], [10])[0] == pytest.approx(1.1, rel=0.03)


@given(st.lists(st.tuples(st.floats(1e-4, 1e4), st.integers(1, 1000), st.floats(1e-4, 1e4)), max_size=8), st.floats(0, 1))
def test_never_negative_and_never_without_scale(rows: list[tuple[float, int, float]], floor: float) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    head = ResidualHead.fit(*columns, floor_ms=floor)
    assert head.call_ms >= 0
    assert head.scale >= 0.1
    assert head.dispatch_ms >= 0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20), st.lists(st.floats(0, 10), min_size=1, max_size=20))
def test_additive_over_nodes(a: list[float], b: list[float]) -> None:
    """What a cost table rests on: two halves of a network add up to the whole, less one call."""
    head = ResidualHead(0.01, 1.1, 0.002)
    whole = float(head.network_ms(sum(a) + sum(b), len(a) + len(b)))
    halves = sum(float(head.network_ms(sum(part), len(part))) for part in (a, b))
    assert halves - head.call_ms == pytest.approx(whole)
    assert head.call_ms + head.node_ms([*a, *b]).sum() == pytest.approx(whole)


def test_doubt_is_wide_for_few_networks_and_narrows() -> None:
    none, three, many = (Doubt.fit([0.01] * n, [0.0] * n) for n in (0, 3, 40))
    assert none.network > 2 * PRIOR_NETWORK
    assert none.network > three.network > many.network == pytest.approx(0.01)
    assert [d.networks for d in (none, three, many)] == [0, 3, 40]


def test_doubts_of_operators_widen_a_network() -> None:
    doubt = Doubt(network=0.05, share=0.5, networks=20)
    known, guessed = doubt.interval(10.0, 0.0), doubt.interval(10.0, 4.0)
    assert known.high == pytest.approx(10.0 * np.exp(0.05))
    assert guessed.high == pytest.approx(10.0 * (1 + np.hypot(np.expm1(0.05), 0.2)))
    assert guessed.low == pytest.approx(10.0**2 / guessed.high)


def test_what_operators_explain_is_not_counted_twice() -> None:
    errors, halves = np.full(20, 0.1), np.full(20, 0.3)
    assert Doubt.fit(errors, halves, share=1.0).network == 0.0
    assert Doubt.fit(errors, halves, share=0.2).network == pytest.approx(np.sqrt(0.1**2 - 0.06**2))


def test_share_shows_how_errors_cancel() -> None:
    assert Doubt.share_left(np.full(30, 0.03), np.full(30, 0.3)) == pytest.approx(0.1)
    assert Doubt.share_left([], []) == 1.0
    assert Doubt.share_left([5.0] * 30, [0.1] * 30) == 1.0
    assert 0.1 < Doubt.share_left([0.03] * 3, [0.3] * 3) < 1.0


def test_json_round_trip() -> None:
    head, doubt = ResidualHead(0.1, 1 / 3, 1e-5), Doubt(0.1, 1 / 7, 3)
    assert ResidualHead.from_json(head.to_json()) == head
    assert Doubt.from_json(doubt.to_json()) == doubt
