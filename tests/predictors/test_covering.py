from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import predictors
from device_profiles.errors import InputError
from predictors.covering import canonical_configurations, configurations, covering


def toy(sizes: list[int], parts: list[tuple[int, ...]], switch: bool = False) -> SimpleNamespace:
    """A space without networks; with `switch`, choice 0 at 0 switches the last choice off."""

    def canonical(archs: np.ndarray) -> np.ndarray:
        archs = np.array(archs)
        if switch:
            archs[archs[:, 0] == 0, -1] = 0
        return archs

    named = tuple(SimpleNamespace(name=f"part{i}", choices=choices) for i, choices in enumerate(parts))
    return SimpleNamespace(choices=tuple(sizes), cardinalities=np.array(sizes), parts=named, canonical=canonical)


def shown(archs: np.ndarray, choices: tuple[int, ...]) -> set[tuple[int, ...]]:
    return {tuple(row) for row in archs[:, choices].tolist()}


def test_mobilenet_is_covered_by_as_many_as_its_largest_part(space: SimpleNamespace) -> None:
    archs = covering(space, np.random.default_rng(0))
    np.testing.assert_array_equal(space.canonical(archs), archs)
    most = 0
    for part in space.parts:
        needed = {tuple(row) for row in canonical_configurations(space, part).tolist()}
        assert shown(archs, part.choices) == needed
        most = max(most, len(needed))
    assert most <= len(archs) <= 1.2 * most


@settings(max_examples=40)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.data())
def test_everything_is_shown(sizes: list[int], data: st.DataObject) -> None:
    subsets = st.lists(st.sampled_from(range(len(sizes))), max_size=3, unique=True).map(tuple)
    parts = data.draw(st.lists(subsets, min_size=1, max_size=4))
    space = toy(sizes, parts)
    archs = covering(space, np.random.default_rng(data.draw(st.integers(0, 5))))
    for choices in parts:
        assert shown(archs, choices) == set(itertools.product(*(range(sizes[c]) for c in choices)))
    assert len({tuple(row) for row in archs.tolist()}) == len(archs)


def test_configurations_that_cannot_occur_are_not_asked_for() -> None:
    space = toy([2, 3, 4], [(0, 2), (1,)], switch=True)
    archs = covering(space, np.random.default_rng(0))
    assert shown(archs, (0, 2)) == {(0, 0), (1, 0), (1, 1), (1, 2), (1, 3)}
    assert len(archs) == 5


def test_the_last_choice_changes_fastest() -> None:
    assert configurations(toy([2, 3], []), SimpleNamespace(name="p", choices=(0, 1))).tolist() == [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
        [1, 1],
        [1, 2],
    ]


def test_a_part_without_choices_needs_one_architecture() -> None:
    assert covering(toy([2, 2], [()]), np.random.default_rng(0)).tolist() == [[0, 0]]


def test_same_generator_same_answer(space: SimpleNamespace) -> None:
    first, second = (covering(space, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_too_many_configurations_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"part 'part0' depends on 6 choices with 1000000 joint values") as caught:
        covering(toy([10] * 6, [tuple(range(6))]), np.random.default_rng(0))
    assert "\n" not in str(caught.value)


def test_the_package_offers_the_function_not_the_module() -> None:
    assert predictors.covering is covering
