from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from predictors.accelerators.mesh import Mesh


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_hops_are_the_mean_over_all_pairs_of_tiles(side: int) -> None:
    places = list(product(range(side), range(side)))
    mean = sum(abs(a - c) + abs(b - d) for a, b in places for c, d in places) / len(places) ** 2
    assert Mesh().hops(side * side) == pytest.approx(1 + mean)


def test_by_hand() -> None:
    # Four tiles: 1 hop in, and 2/3 * (4 - 1) / 2 = 1 within. 100 bits are 4 flits of 32.
    mesh = Mesh()
    assert mesh.hops(4) == pytest.approx(2)
    assert mesh.latency_ns(100, 4) == pytest.approx(2 * 4 + 4)
    assert mesh.energy_pj(100, 4) == pytest.approx(128 * 2 * 42 / 8 / 32)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 500), st.integers(0, 500))
def test_more_bits_to_more_tiles_are_never_cheaper(bits: int, more: int, tiles: int, others: int) -> None:
    mesh = Mesh()
    assert mesh.latency_ns(bits + more, tiles + others) >= mesh.latency_ns(bits, tiles)
    assert mesh.energy_pj(bits + more, tiles + others) >= mesh.energy_pj(bits, tiles)


def test_wrong_designs_are_named() -> None:
    with pytest.raises(InputError, match="flit_bits"):
        Mesh(flit_bits=0)
