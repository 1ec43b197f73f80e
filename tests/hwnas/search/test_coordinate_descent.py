"""Coordinate descent: its schedule, its proposals, what it keeps, and where it starts."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.objectives import Constraint
from hwnas.search import Problem
from hwnas.search.algorithms import make
from hwnas.search.coordinate_descent import DECAY

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(6, 5)
PROBLEM = Problem(SPACE, (toy.score(), toy.cost()))


def pair(archs):
    return np.column_stack([-toy.accuracy(archs), toy.latency(archs)])


def descended(problem=PROBLEM, values=pair, seed=0, most=400, **options):
    """One whole descent: the optimiser when it began the second, with the trace of the first, and the batches it asked for."""
    optimiser, batches = make("coordinate", problem, seed, options), []
    step = optimiser._step
    while sum(map(len, batches)) < most:
        archs = optimiser.ask(optimiser.batch)
        if optimiser._step < step or not len(archs):
            break
        batches.append(archs)
        optimiser.tell(archs, values(archs), np.zeros(len(archs)))
    starts = [i for i, kept in enumerate(optimiser.trace) if np.array_equal(kept, optimiser.trace[0])]
    optimiser.trace = optimiser.trace[: starts[1]] if len(starts) > 1 else optimiser.trace
    return optimiser, batches


@pytest.mark.parametrize("layers", [1, 4])
def test_goes_from_the_largest_to_the_smallest_with_a_cost_that_only_falls(layers):
    optimiser, batches = descended(layers=layers)
    trace = np.concatenate(optimiser.trace)
    np.testing.assert_array_equal(batches[0], SPACE.largest())
    np.testing.assert_array_equal(trace[0], SPACE.largest()[0])
    np.testing.assert_array_equal(trace[-1], SPACE.smallest()[0])
    assert (np.diff(toy.latency(trace)) < 0).all()


@pytest.mark.parametrize("layers", [1, 3])
def test_every_step_meets_the_schedule_while_it_can_be_met(layers):
    optimiser, _ = descended(layers=layers, step=0.04)  # less than one choice can save
    cost = toy.latency(np.concatenate(optimiser.trace))
    wanted = 0.04 * (cost[0] - cost[-1]) * DECAY ** np.arange(len(cost) - 1)
    early = len(cost) // 2
    assert (cost[:-1] - cost[1:] >= wanted * (1 - 1e-9))[:early].all()


def test_one_layer_means_one_choice_and_its_costliest_value_that_meets_the_target():
    optimiser, batches = descended(layers=1, step=0.06)
    target = toy.latency(SPACE.largest())[0] - 0.06 * optimiser._range * toy.latency(SPACE.largest())[0]
    proposals = batches[1]
    assert len(proposals) == 7  # one per choice
    for arch in proposals:
        changed = np.flatnonzero(arch != SPACE.largest()[0])
        choice = 0 if 0 in changed else int(changed[0])
        assert len(changed) == 1 or choice == 0  # what lies beyond the depth does nothing
        larger = SPACE.largest()
        larger[0, choice] = arch[choice] + 1
        assert toy.latency(arch[None])[0] <= target + 1e-9
        assert toy.latency(SPACE.canonical(larger))[0] > target


def test_several_layers_are_shrunk_at_once_but_not_more_than_told():
    _, batches = descended(layers=3, samples=12, step=0.3)
    same_depth = [arch for arch in batches[1] if arch[0] == SPACE.largest()[0, 0]]
    changed = [int((arch != SPACE.largest()[0]).sum()) for arch in same_depth]
    assert 2 <= max(changed) <= 3
    assert len(batches[1]) <= 12


def test_the_most_accurate_proposal_is_kept():
    optimiser, batches = descended(samples=8)
    for kept, proposals in zip(optimiser.trace[1:6], batches[1:6], strict=True):
        rows = {tuple(row) for row in proposals.tolist()}
        if tuple(kept[0]) in rows:
            assert toy.accuracy(kept)[0] == toy.accuracy(proposals).max()


def test_what_failed_is_kept_only_where_nothing_else_is():
    def values(archs):
        return np.where((archs[:, 1] >= 3)[:, None], pair(archs), np.nan)

    optimiser, _ = descended(values=values)
    trace = np.concatenate(optimiser.trace)
    assert (np.diff(toy.latency(trace)) < 0).all()
    assert (trace[: len(trace) // 2, 1] >= 3).all()
    np.testing.assert_array_equal(trace[-1], SPACE.smallest()[0])


def test_without_a_cheap_objective_the_order_of_values_is_the_cost():
    problem = Problem(SPACE, (toy.score(),))
    optimiser, batches = descended(problem, lambda archs: -toy.accuracy(archs)[:, None])
    trace = np.concatenate(optimiser.trace)
    np.testing.assert_array_equal(batches[0], SPACE.largest())
    assert (trace.sum(axis=1)[[0, -1]] == [29, 0]).all()


def test_of_several_costs_the_mean_of_their_shares_falls():
    macs = toy.cost(lambda archs: 1e9 * (1 + archs[:, 1:].sum(axis=1)), "macs", "")
    problem = Problem(SPACE, (toy.score(), toy.cost(), macs))
    optimiser, _ = descended(problem, lambda archs: np.column_stack([pair(archs), macs.evaluate(archs).values]))
    trace = np.concatenate(optimiser.trace)
    top = SPACE.largest()
    shares = (toy.latency(trace) / toy.latency(top) + macs.evaluate(trace).values / macs.evaluate(top).values) / 2
    assert (np.diff(shares) < 0).all()


def test_under_a_bound_it_starts_right_below():
    problem = Problem(SPACE, PROBLEM.objectives, (Constraint("latency_ms", "<=", 1.3),))
    _, batches = descended(problem)
    start = batches[0]
    assert (toy.latency(start) <= 1.3).all()
    for choice, limit in enumerate(SPACE.cardinalities.tolist()):
        for arch in start[start[:, choice] < limit - 1]:
            larger = arch[None].copy()
            larger[0, choice] += 1
            acts = SPACE.active(arch[None])[0, choice] and toy.latency(larger)[0] > toy.latency(arch[None])[0]
            assert not acts or toy.latency(larger)[0] > 1.3


def test_another_descent_takes_half_the_step_and_proposes_only_what_is_new():
    optimiser, batches = descended()
    assert optimiser._step == 0.05
    more = [optimiser.ask(optimiser.batch)]
    for _ in range(5):
        optimiser.tell(more[-1], pair(more[-1]), np.zeros(len(more[-1])))
        more.append(optimiser.ask(optimiser.batch))
    everything = np.concatenate([*batches, *more])
    assert len(np.unique(everything, axis=0)) == len(everything)


@pytest.mark.parametrize("step", [0.0, -0.1, 1.5])
def test_a_step_outside_of_the_range_is_refused(step):
    with pytest.raises(InputError, match=r"needs a step within 0..1"):
        make("coordinate", PROBLEM, 0, {"step": step})
