"""A distribution over architectures that gradients move."""

from __future__ import annotations

import runpy
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.agents import draw, legal_values
from hwnas.search.additive import Additive

torch = pytest.importorskip("torch")
gumbel = pytest.importorskip("hwnas.search.gumbel")
descend, expected, straight_through = gumbel.descend, gumbel.expected, gumbel.straight_through

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(3, 3)
LIMITS = SPACE.cardinalities.tolist()


def cost(seed=0):
    """Of depth and widths; blocks beyond the depth cost nothing."""
    rng, (depth, _) = np.random.default_rng(seed), np.divmod(np.arange(9), 3)
    return Additive(SPACE, tuple(np.where(i <= depth, 0.2 + rng.random(9), 0.0) for i in range(3)), 0.1)


def chances(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(limit)) for limit in LIMITS]


def test_the_expected_cost_is_the_sum_over_all_architectures_by_their_chances():
    every = list(product(*(range(limit) for limit in LIMITS)))
    found = chances()
    by_hand = sum(np.prod([p[i] for p, i in zip(found, arch, strict=True)]) * cost()(np.array([arch]))[0] for arch in every)
    assert expected(cost(), [torch.from_numpy(p) for p in found]).item() == pytest.approx(by_hand, rel=1e-12)


def test_the_expected_cost_is_the_mean_over_samples():
    found = chances(1)
    policy = np.zeros((len(LIMITS), max(LIMITS)))
    policy[legal_values(SPACE.cardinalities)] = np.concatenate(found)
    drawn = draw(np.repeat(policy[None], 20_000, axis=0), SPACE.cardinalities, np.random.default_rng(2))
    prices = cost()(SPACE.canonical(drawn))
    error = prices.std() / np.sqrt(len(prices))
    assert expected(cost(), [torch.from_numpy(p) for p in found]).item() == pytest.approx(prices.mean(), abs=4 * error)


def test_the_expected_cost_has_the_right_derivative():
    scores = [torch.randn(limit, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True) for limit in LIMITS]
    assert torch.autograd.gradcheck(lambda *s: expected(cost(), [score.softmax(0) for score in s]), scores)


def test_a_draw_is_one_value_as_often_as_the_softmax_says():
    scores = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64, requires_grad=True)
    rng = np.random.default_rng(0)
    drawn = torch.stack([straight_through(scores, 0.5, rng) for _ in range(4000)])
    assert set(drawn.detach().unique().tolist()) == {0.0, 1.0}
    assert (drawn.sum(1) == 1).all()
    np.testing.assert_allclose(drawn.detach().mean(0), scores.detach().softmax(0), atol=0.03)
    (gradient,) = torch.autograd.grad(drawn[0] @ torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), scores)
    assert gradient[0] > 0
    assert gradient.sum().item() == pytest.approx(0.0, abs=1e-12)


GAINS = [np.array([0.9, 0.4, 0.1]), np.array([0.5, 0.2, 0.05]), np.array([0.5, 0.1, 0.04]), np.array([0.5, 0.15, 0.02])]


def loss(shares, rng):
    """What every value loses, whatever the others are."""
    return sum(share @ torch.from_numpy(lost) for share, lost in zip(shares, GAINS, strict=True))


def best(weight):
    """By trying everything."""
    every = np.array(list(product(*(range(limit) for limit in LIMITS))))
    total = sum(lost[column] for lost, column in zip(GAINS, every.T, strict=True)) + weight * np.log(cost()(every))
    return every[total.argmin()], np.sort(total)


@pytest.mark.parametrize("weight", [0.01, 0.1, 1.0, 3.0])
def test_arrives_at_the_optimum_where_it_is_known(weight):
    optimum, totals = best(weight)
    for seed in range(3):
        found = descend(loss, [cost()], weight, 300, np.random.default_rng(seed))
        arch = np.array([p.argmax() for p in found])
        same = SPACE.canonical(arch) == SPACE.canonical(optimum)
        assert same.all(), (arch, optimum, totals[:3])


def test_a_larger_weight_arrives_at_what_costs_less():
    costs = [
        cost()(np.array([[p.argmax() for p in descend(loss, [cost()], weight, 200, np.random.default_rng(0))]]))[0]
        for weight in (0.01, 0.3, 3.0)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_the_same_seed_arrives_at_the_same_and_no_global_state_is_used():
    torch.manual_seed(0)
    one = descend(loss, [cost(), cost(1)], 0.1, 20, np.random.default_rng(5))
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    state = torch.get_rng_state()
    same, other = (descend(loss, [cost(), cost(1)], 0.1, 20, np.random.default_rng(seed)) for seed in (5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.sum() == pytest.approx(1.0) and (p >= 0).all() for p in one)
