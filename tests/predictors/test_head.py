from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.operators import Operator, Tensor
from predictors.head import PRIOR_NETWORK, Doubt, ResidualHead, head_terms


def sums(n: int, seed: int = 0) -> np.ndarray:
    """Terms of networks of all sizes: what they take, hold and move goes together only roughly."""
    rng = np.random.default_rng(seed)
    kernels = np.exp(rng.uniform(-4, 3, n))
    moved = [kernels * rng.uniform(0, most, n) for most in (4, 9, 6)]
    return np.column_stack([kernels, rng.integers(5, 200, n), *moved])


def test_without_networks_it_is_the_sum_plus_the_empty_call() -> None:
    assert ResidualHead.fit([], [], floor_ms=0.004) == ResidualHead(0.004, 1.0)


def test_finds_the_call_and_what_every_term_counts_for() -> None:
    truth, terms = ResidualHead(0.02, 0.93, 0.0005, 0.046, 0.02, 0.05), sums(60)
    head = ResidualHead.fit(terms, truth.network_ms(terms), floor_ms=0.01)
    assert head.call_ms == pytest.approx(0.02, rel=0.2)
    assert head.rates == pytest.approx(truth.rates, rel=0.1)


def test_one_network_moves_it_only_a_little() -> None:
    terms = np.array([[1.0, 10.0, 0.1, 0.1, 0.1]])
    head = ResidualHead.fit(terms, [1.1], floor_ms=0.004)
    assert 1.0 < head.scale < 1.1
    assert head.network_ms(terms)[0] == pytest.approx(1.1, rel=0.03)


@given(
    st.lists(st.tuples(st.floats(1e-4, 1e4), st.integers(1, 1000), *[st.floats(0, 1e3)] * 3, st.floats(1e-4, 1e4)), max_size=8),
    st.floats(0, 1),
)
def test_never_negative_and_never_without_scale(rows: list[tuple[float, ...]], floor: float) -> None:
    table = np.array(rows).reshape(-1, 6)
    head = ResidualHead.fit(table[:, :5], table[:, 5], floor_ms=floor)
    assert head.call_ms >= 0
    assert head.scale >= 0.1
    assert head.rates.min() >= 0


def test_additive_over_nodes() -> None:
    """What a cost table rests on: two halves of a network add up to the whole, less one call."""
    head, nodes = ResidualHead(0.01, 1.1, 0.002, 0.05, 0.02, 0.04), sums(9)
    whole = float(head.network_ms(nodes.sum(axis=0)))
    halves = sum(float(head.network_ms(part.sum(axis=0))) for part in (nodes[:4], nodes[4:]))
    assert halves - head.call_ms == pytest.approx(whole)
    assert head.call_ms + head.node_ms(nodes).sum() == pytest.approx(whole)


def test_the_terms_of_an_operator_are_its_time_itself_its_weights_and_what_it_moves(lab: SimpleNamespace) -> None:
    conv = lab.conv(16, 32, 8, kernel=3)
    weights, moved = 4 * (32 * 16 * 9 + 32) / 1e6, 4 * (16 + 32) * 64 / 1e6
    assert head_terms([conv, conv], [0.5, 0.25]) == pytest.approx(np.array([[0.5, 1, weights, moved, 0], [0.25, 1, weights, moved, 0]]))


def test_weights_that_no_cache_holds_count_no_further_and_views_count_nothing(lab: SimpleNamespace) -> None:
    x = Tensor((1, 16, 8, 8))
    view = Operator("Reshape", (x, Tensor((2,), "int64", True, (1, 1024))), (Tensor((1, 1024)),))
    small, large, larger, seen = head_terms([lab.gemm(1, 512, 1000), lab.gemm(1, 4096, 1000), lab.gemm(1, 25088, 4096), view], [0.1] * 4)
    assert small[2] == pytest.approx(4 * 513 * 1000 / 1e6)
    assert large[2] == larger[2] < 4 * 4096 * 1000 / 1e6
    assert seen[3:].tolist() == [0.0, 0.0]


def test_what_windows_over_images_move_counts_apart() -> None:
    x = Tensor((1, 16, 8, 8))
    pool = Operator("MaxPool", (x,), (x,), (("kernel_shape", (1, 1)),))
    blocked, add = (Operator(kind, (x, x), (x,)) for kind in ("nchwc.Add", "Add"))
    image, other = head_terms([pool, blocked, add], [0.1] * 3)[:, 3:].T
    assert image == pytest.approx([8 * 1024 / 1e6, 12 * 1024 / 1e6, 0.0])
    assert other == pytest.approx([0.0, 0.0, 12 * 1024 / 1e6])


def test_a_gather_moves_the_rows_it_writes_not_its_whole_table() -> None:
    table, places = Tensor((30_000, 768), constant=True), Tensor((1, 16), "int64")
    gather = Operator("Gather", (table, places), (Tensor((1, 16, 768)),))
    row = head_terms([gather], [0.01])[0]
    assert row[2] == pytest.approx(4 * 16 * 768 / 1e6)
    assert row[4] == pytest.approx((8 * 16 + 4 * 16 * 768) / 1e6)


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
    head, doubt = ResidualHead(0.1, 1 / 3, 1e-5, 1 / 7, 0.02, 0.03), Doubt(0.1, 1 / 7, 3)
    assert ResidualHead.from_json(head.to_json()) == head
    assert Doubt.from_json(doubt.to_json()) == doubt
