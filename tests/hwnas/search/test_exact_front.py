"""The exact front against brute force on spaces small enough, with shared choices, bounds and thinning."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.front import hypervolume, non_dominated
from hwnas.search.additive import Additive, configuration_count
from hwnas.search.exact_front import exact_front
from hwnas.spaces.base import Choice, Part, SearchSpace


class Joint(SearchSpace):
    """Any choices, any parts over them."""

    name = "joint"

    def __init__(self, cardinalities, parts):
        self.choices = tuple(Choice(f"c{i}", tuple(range(n))) for i, n in enumerate(cardinalities))
        self.parts = tuple(Part(f"p{i}", tuple(choices)) for i, choices in enumerate(parts))

    def network(self, arch):
        raise NotImplementedError

    supernet = spec = network


#: Independent parts; a chain in which neighbours share a width; a depth that all share; a part without choices; a choice met late again.
SHAPES = {
    "independent": ((3, 4, 2, 3), ((0,), (1,), (2, 3))),
    "chain": ((2, 3, 3, 2, 3), ((0, 1), (1, 2), (2, 3), (3, 4))),
    "depth": ((3, 2, 3, 2, 3), ((0, 1), (0, 2), (0, 3), (0, 4))),
    "constant": ((3, 2, 4), ((), (0, 1), (), (1, 2))),
    "late": ((3, 2, 3, 2), ((0, 1), (1, 2), (2, 3), (3, 0))),
    "reversed": ((3, 2, 3), ((1, 0), (2, 1))),
}


def additive(space, m, seed=0, whole=False):
    rng = np.random.default_rng(seed)
    draw = (lambda n: rng.integers(0, 6, n).astype(float)) if whole else rng.random
    sizes = [configuration_count(space, i) for i in range(len(space.parts))]
    return [Additive(space, tuple(draw(n) for n in sizes), 0.5 * j) for j in range(m)]


def brute(space, objectives, bounds=None):
    """The values of the front over every architecture, each once, sorted."""
    archs = np.array(list(itertools.product(*(range(n) for n in space.cardinalities))))
    values = np.stack([objective(archs) for objective in objectives], axis=1)
    if bounds is not None:
        values = values[(values <= bounds).all(axis=1)]
    return np.unique(values[non_dominated(values)].round(9), axis=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("whole", [False, True])
def test_equals_brute_force(shape, m, whole):
    space = Joint(*SHAPES[shape])
    for seed in range(5):
        objectives = additive(space, m, seed, whole)
        found = exact_front(space, objectives)
        np.testing.assert_allclose(np.unique(found.values.round(9), axis=0), brute(space, objectives))
        assert len(found.values) == len(np.unique(found.values.round(9), axis=0))
        np.testing.assert_allclose(np.stack([o(found.archs) for o in objectives], axis=1), found.values)
        assert not found.gap.any()


@pytest.mark.parametrize("shape", ["chain", "depth"])
def test_bounds_equal_brute_force_within_them(shape):
    space = Joint(*SHAPES[shape])
    objectives = additive(space, 2)
    free = exact_front(space, objectives).values
    bounds = np.array([np.inf, np.median(free[:, 1])])
    found = exact_front(space, objectives, bounds)
    np.testing.assert_allclose(np.unique(found.values.round(9), axis=0), brute(space, objectives, bounds))
    with pytest.raises(InputError, match="no architecture of joint is within the bounds"):
        exact_front(space, objectives, [np.inf, free[:, 1].min() - 0.1])


def test_where_it_must_thin_the_gap_holds():
    space = Joint((4,) * 6, tuple((i, i + 1) for i in range(5)))
    objectives = additive(space, 2)
    exact, rough = exact_front(space, objectives), exact_front(space, objectives, limit=4)
    assert (rough.gap > 0).any()
    assert rough.operations < exact.operations
    near = (rough.values[None] <= exact.values[:, None] + rough.gap + 1e-9).all(axis=2)
    assert near.any(axis=1).all()


def test_beats_nsga2_on_a_space_too_large_for_brute_force():
    pytest.importorskip("pymoo")
    from hwnas.objectives import Objective
    from hwnas.replay.drive import drive
    from hwnas.search import Problem

    space = Joint((3,) * 40, tuple((i, i + 1) for i in range(0, 40, 2)))
    objectives = additive(space, 2)
    named = tuple(Objective(f"cost{i}", "", "min", False, o) for i, o in enumerate(objectives))
    found = exact_front(space, objectives)
    corner = found.values.max(axis=0) + 1
    course = drive(Problem(space, named), "nsga2", 0, 2000, corner)
    assert hypervolume(found.values, corner) > course.hypervolume[-1]


def test_what_is_too_entangled_or_too_many_is_refused():
    tangled = Joint((4,) * 8, (*((i, i + 1) for i in range(0, 8, 2)), tuple(range(0, 8, 2)), tuple(range(1, 8, 2))))
    with pytest.raises(InputError, match="share too many choices"):
        exact_front(tangled, additive(tangled, 2))
    space = Joint(*SHAPES["chain"])
    for count in (0, 4):
        with pytest.raises(InputError, match="one to three objectives"):
            exact_front(space, additive(space, count))
