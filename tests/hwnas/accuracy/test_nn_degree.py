"""NN-Degree against cells worked out by hand, and against the networks themselves."""

from __future__ import annotations

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.accuracy.nn_degree import NNDegree, dense_cell, has_degree, mobile_block, residual_cell
from hwnas.front import non_dominated
from hwnas.objectives import as_objective, as_objectives
from hwnas.search import Problem
from hwnas.search.additive import Additive
from hwnas.search.algorithms import choose
from hwnas.search.exact_front import exact_front
from hwnas.spaces.flash import Cell, FlashDenseSpace, FlashResidualSpace
from hwnas.spaces.mobilenet import MobileNetSpace
from hwnas.spaces.mobilenet_blocks import Stage
from predictors.accelerators import CrossbarTiles


@pytest.mark.parametrize(
    ("width", "depth", "skip", "degree"), [(32, 13, 40, 65.23), (128, 13, 125, 233.77), (32, 13, 0, 32.0), (8, 2, 5, 8)]
)
def test_dense_cells_by_hand(width: int, depth: int, skip: int, degree: float) -> None:
    """Links of the first: layer 2 takes 32 channels, layers 3 to 12 take 40 each; 432 / 13 + 32."""
    assert float(dense_cell(width, depth, skip)) == pytest.approx(degree, abs=0.005)


def test_half_the_mass_for_deep_cells() -> None:
    """The parent metric, NN-Mass, counts density x nodes; the skip term of the degree is half of it times (d - 1)(d - 2) / d^2."""
    w, d, t = 32, 13, 40
    links = 32 + 10 * 40
    mass = links / sum((i - 1) * w for i in range(2, d)) * w * d
    assert mass == pytest.approx(85.1, abs=0.05)
    assert float(dense_cell(w, d, t)) - w == pytest.approx(mass / 2 * (d - 1) * (d - 2) / d**2)


def test_residual_cells_and_mobile_blocks_by_hand() -> None:
    assert float(residual_cell(16, 3, 8)) == pytest.approx(16 + 3 * 8 * 16 / (16 * 7))
    assert float(residual_cell(16, 3, 0)) == 16
    # 8 -> 32 -> 32 -> 8: 256 + 32 + 256 links of layers and 256 that skip, over 72 channels.
    assert float(mobile_block(8, 32, 8, True)) == pytest.approx(800 / 72)
    # Without expansion: 8 + 8 x 12 links over 8 + 12 channels.
    assert float(mobile_block(8, 8, 12, False)) == pytest.approx(104 / 20)


def test_a_dense_network_has_the_degree_of_its_cells() -> None:
    space = spaces.load("flash-dense")
    assert isinstance(space, FlashDenseSpace)
    archs = np.concatenate([space.smallest(), space.largest(), space.sample(50, np.random.default_rng(0))])
    found = NNDegree(space)(archs)
    for arch, degree in zip(archs, found, strict=True):
        shapes = space.shapes(arch)
        assert degree == pytest.approx(sum(s.width + n / s.depth for s, n in zip(shapes, space.links(arch), strict=True)))


def test_a_residual_network_has_the_degree_of_its_cells() -> None:
    space = spaces.load("flash-residual")
    assert isinstance(space, FlashResidualSpace)
    archs = space.sample(50, np.random.default_rng(0))
    expected = [sum(s.width + s.depth * s.skip / (2 * s.depth + 1) for s in space.shapes(arch)) for arch in archs]
    np.testing.assert_allclose(NNDegree(space)(archs), expected)


@pytest.mark.parametrize("name", ["mobilenet-small", "mobilenetv2-elastic", "ofa-mobilenetv3"])
def test_a_mobile_network_has_the_degree_of_its_blocks(name: str) -> None:
    space = spaces.load(name)
    assert isinstance(space, MobileNetSpace)
    archs = np.concatenate([space.smallest(), space.largest(), space.sample(20, np.random.default_rng(0))])
    expected = [sum(float(mobile_block(b.c_in, b.hidden, b.c_out, b.residual)) for b in space.blocks(arch)) for arch in archs]
    np.testing.assert_allclose(NNDegree(space)(archs), expected)


def test_choices_with_one_value_are_no_obstacle() -> None:
    space = FlashDenseSpace([Cell((8,), (4,), (0.5,)), Cell((16, 32), (4,), (0.5,)), Cell((8,), (5, 6), (1.0,))], 3, 1, 8)
    archs = np.array([[0, 0, 0, w, 0, 0, 0, d, 0] for w in (0, 1) for d in (0, 1)])
    expected = [float(dense_cell(8, 4, 4) + dense_cell(w, 4, w // 2) + dense_cell(8, d, 8)) for w in (16, 32) for d in (5, 6)]
    np.testing.assert_allclose(NNDegree(space)(archs), expected)
    single = MobileNetSpace((Stage((8,), (1,), (3,), (2,), 1),), 3, 1, 8, stem=8)
    np.testing.assert_allclose(NNDegree(single)(single.smallest()), mobile_block(8, 16, 8, True))


@pytest.mark.parametrize("name", ["flash-dense", "flash-residual", "mobilenet-small"])
def test_it_is_a_sum_over_parts_and_serves_as_an_objective(name: str) -> None:
    space = spaces.load(name)
    objective = as_objective(NNDegree(space), space)
    assert (objective.name, objective.direction, objective.expensive, objective.origin) == ("nn_degree", "max", False, "modelled")
    additive = Additive.of(objective, space)
    assert additive is not None
    archs = space.sample(20, np.random.default_rng(1))
    np.testing.assert_allclose(additive(archs), -NNDegree(space)(archs))
    with pytest.raises(InputError, match="has no part 'tail'"):
        NNDegree(space).part_prices("tail")


def test_with_costs_that_are_sums_the_training_free_front_is_exact() -> None:
    space = FlashDenseSpace([Cell((4, 8), (4, 5), (0.0, 0.5, 1.5)), Cell((8, 12), (4, 5), (0.0, 0.5, 1.5))], 3, 1, 8)
    problem = Problem(space, as_objectives([NNDegree(space), CrossbarTiles().latency_ms], space))
    assert choose(problem)[0] == "exact"
    models = [additive for objective in problem.objectives if (additive := Additive.of(objective, space))]
    every = np.stack(np.meshgrid(*map(np.arange, space.cardinalities), indexing="ij"), axis=-1).reshape(-1, 6)
    values = np.column_stack([model(every) for model in models])
    truth = np.unique(values[non_dominated(values)].round(9), axis=0)
    np.testing.assert_allclose(np.unique(exact_front(space, models).values.round(9), axis=0), truth)


def test_more_width_and_more_skips_are_more() -> None:
    space = spaces.load("flash-dense")
    degree, base = NNDegree(space), space.sample(100, np.random.default_rng(2))
    for column in (0, 2):
        less, more = base.copy(), base.copy()
        less[:, column], more[:, column] = 0, space.cardinalities[column] - 1
        assert (degree(more) > degree(less)).all()


def test_a_space_without_cells_is_refused() -> None:
    assert not has_degree(spaces.load("nasbench201"))
    assert has_degree(spaces.load("flash-dense"))
    with pytest.raises(InputError, match="NN-Degree needs cells of a width, a depth and skip connections"):
        NNDegree(spaces.load("nasbench201"))
