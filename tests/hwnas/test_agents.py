"""The agents that searching and training share: policies, credit, and the regret they promise."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.agents import RIDGE, LinearCredit, add_by_importance, boltzmann, chances, draw, legal_values, uniform, zipf

SIZES = np.array([2, 4, 1, 3])
LEGAL = legal_values(SIZES)


def test_values_are_legal_up_to_the_number_of_each_choice():
    assert LEGAL.tolist() == [[True, True, False, False], [True] * 4, [True, False, False, False], [True, True, True, False]]
    np.testing.assert_allclose(uniform(LEGAL)[:, 0], [1 / 2, 1 / 4, 1, 1 / 3])


@pytest.mark.parametrize("policy", [lambda x: boltzmann(x, LEGAL), lambda x: boltzmann(x, LEGAL, 0.2), lambda x: zipf(x, LEGAL)])
def test_policies_are_probabilities_that_fall_with_the_loss(policy):
    losses = np.random.default_rng(0).normal(size=(5, 4, 4))
    found = policy(losses)
    assert found.shape == losses.shape
    np.testing.assert_allclose(found.sum(axis=-1), 1.0)
    assert (found[:, ~LEGAL] == 0).all()
    for row, loss in zip(found.reshape(-1, 4), losses.reshape(-1, 4), strict=True):
        legal = row > 0
        np.testing.assert_array_equal(np.argsort(-row[legal]), np.argsort(loss[legal]))


def test_boltzmann_bears_losses_of_any_size_and_explores_as_much_as_told():
    losses = np.array([[1e9, 1e9 + 1000.0, 0, 0], [0, 1e6, 2e6, 3e6], [5, 0, 0, 0], [0, 1, 2, 0]])
    assert boltzmann(losses, LEGAL)[0].tolist() == [1, 0, 0, 0]
    assert boltzmann(losses, LEGAL, 0.2)[1].tolist() == pytest.approx([0.85, 0.05, 0.05, 0.05])
    assert boltzmann(losses, LEGAL)[3, 1] / boltzmann(losses, LEGAL)[3, 0] == pytest.approx(np.exp(-1))


def test_zipf_is_one_over_rank():
    policy = zipf(np.array([[0, 1, 0, 0], [3, 1, 2, 0], [0, 0, 0, 0], [0, 0, -1, 0]]), LEGAL)
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    np.testing.assert_allclose(policy[1], np.array([1 / 4, 1 / 2, 1 / 3, 1]) / harmonic)
    np.testing.assert_allclose(policy[0], [2 / 3, 1 / 3, 0, 0])


def test_draws_come_as_often_as_the_policy_says_and_know_their_chances():
    policy = boltzmann(np.arange(16.0).reshape(4, 4) / 5, LEGAL)
    drawn = draw(np.broadcast_to(policy, (20_000, 4, 4)), SIZES, np.random.default_rng(0))
    for agent in range(4):
        often = np.bincount(drawn[:, agent], minlength=4) / len(drawn)
        np.testing.assert_allclose(often, policy[agent], atol=0.015)
    np.testing.assert_array_equal(chances(policy, drawn[0]), policy[np.arange(4), drawn[0]])


def test_credit_by_importance_is_fair_however_rarely_a_value_is_drawn():
    """Summed over draws, every value comes to what it would have cost to draw it always."""
    rng = np.random.default_rng(0)
    policy = boltzmann(np.arange(16.0).reshape(4, 4) / 4, LEGAL)
    cost = rng.random((4, 4))
    drawn = draw(np.broadcast_to(policy, (50_000, 4, 4)), SIZES, rng)
    active = np.ones(drawn.shape, dtype=bool)
    active[:, 3] = drawn[:, 0] == 1  # an agent that does nothing half of the time learns only from the other half
    losses = np.stack([cost[1][drawn[:, 1]], cost[3][drawn[:, 3]]], axis=1)
    sums = np.zeros((2, 4, 4))
    add_by_importance(sums, drawn, active, chances(np.broadcast_to(policy, (len(drawn), 4, 4)), drawn), losses)
    np.testing.assert_allclose(sums[0, 1] / len(drawn), cost[1], atol=0.04)
    np.testing.assert_allclose(sums[1, 3, :3] / active[:, 3].sum(), cost[3, :3], atol=0.04)
    assert (sums[:, ~LEGAL] == 0).all()


def test_linear_credit_is_least_squares_of_every_round():
    rng, credit, cost = np.random.default_rng(0), LinearCredit(), np.random.default_rng(1).normal(size=(2, 4, 4))
    archs = rng.integers(0, SIZES, (200, 4))
    losses = np.stack([c[np.arange(4), archs].sum(axis=1) for c in cost], axis=1)
    losses -= losses.mean(axis=0)
    for part in np.split(np.arange(200), 8):
        credit.add(LEGAL, archs[part], np.ones((len(part), 4), dtype=bool), losses[part])
    design = np.eye(4)[archs][:, LEGAL]
    expected = np.linalg.solve(design.T @ design + RIDGE * np.eye(10), design.T @ losses)
    for j, weights in enumerate(np.eye(2)):
        policy = credit.policy(LEGAL, weights[None])[0]
        np.testing.assert_allclose(policy[LEGAL], zipf(cost[j], LEGAL)[LEGAL])  # exact sums: ranks as in truth
        np.testing.assert_allclose(np.linalg.lstsq(design, losses, rcond=None)[0][:, j], expected[:, j], atol=1e-4)
    assert not np.array_equal(*(credit.policy(LEGAL, w[None]) for w in np.eye(2)))


def test_linear_credit_without_a_round_knows_nothing():
    np.testing.assert_array_equal(LinearCredit().policy(LEGAL, np.ones((3, 1))), np.repeat(uniform(LEGAL)[None], 3, axis=0))
