"""NSGA-II: its first generation, its selection, and that it is worth its name."""

from __future__ import annotations

import itertools
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.front import hypervolume
from hwnas.objectives import Constraint
from hwnas.search import Problem
from hwnas.search.nsga2 import FAILED, Nsga2
from hwnas.search.random_search import RandomSearch

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(10, 6)
PROBLEM = Problem(SPACE, (toy.score(), toy.cost()))


def costs(archs):
    """Accuracy that is far from saturated, so that every depth has its place on the front, and latency."""
    mask = np.arange(archs.shape[1] - 1) <= archs[:, :1]
    weight = 1 + 0.5 * np.cos(np.arange(archs.shape[1] - 1))
    return np.column_stack([np.exp(-0.02 * (mask * archs[:, 1:] * weight).sum(axis=1)) - 1, toy.latency(archs)])


def found(optimiser, evaluations, violation=lambda archs: np.zeros(len(archs)), values=costs):
    parts = []
    while sum(map(len, parts)) < evaluations:
        archs = optimiser.ask(optimiser.batch)
        optimiser.tell(archs, values(archs), violation(archs))
        parts.append(archs)
    return np.concatenate(parts)[:evaluations]


def test_starts_from_both_ends_of_the_space():
    first = Nsga2(PROBLEM, np.random.default_rng(0)).ask(24)
    assert first.shape == (24, 11)
    np.testing.assert_array_equal(first[:2], np.concatenate([SPACE.smallest(), SPACE.largest()]))


def test_an_end_that_breaks_a_cheap_constraint_is_left_out():
    problem = Problem(SPACE, PROBLEM.objectives, (Constraint("latency_ms", "<=", 1.5),))
    first = Nsga2(problem, np.random.default_rng(0)).ask(24)
    np.testing.assert_array_equal(first[0], SPACE.smallest()[0])
    assert len(first) == 24
    assert (toy.latency(first) <= 1.5).all()


def test_beats_random_search_on_every_seed():
    reference = [0.0, float(toy.latency(SPACE.largest())[0])]
    for seed in range(4):
        volumes = [hypervolume(costs(found(kind(PROBLEM, np.random.default_rng(seed)), 400)), reference) for kind in (Nsga2, RandomSearch)]
        assert volumes[0] > volumes[1]


def test_comes_near_the_true_front_of_a_small_space():
    space = toy.ToySpace(4, 4)
    grid = np.array(list(itertools.product(range(4), *[range(4)] * 4)))
    reference = [0.0, 2.0]
    best = hypervolume(costs(np.unique(space.canonical(grid), axis=0)), reference)
    some = found(Nsga2(Problem(space, PROBLEM.objectives), np.random.default_rng(0)), 150)  # of 340
    assert hypervolume(costs(some), reference) > 0.995 * best


def test_the_population_holds_the_feasible_and_never_the_failed():
    def values(archs):
        return np.where((archs[:, 1] % 2 == 0)[:, None], np.nan, costs(archs))

    optimiser = Nsga2(PROBLEM, np.random.default_rng(0), population=20)
    found(optimiser, 400, violation=lambda archs: np.maximum(0.0, 2.0 - archs[:, 0]), values=values)
    optimiser.ask(1)  # a new generation takes in what was told
    population = optimiser._algorithm.pop
    assert len(population) == 20
    archs = population.get("X")
    assert (archs[:, 0] >= 2).all()
    assert (archs[:, 1] % 2 == 1).all()
    assert (population.get("G") < FAILED).all()


def test_failures_are_the_worst_violations_and_pymoo_sees_no_nan():
    optimiser = Nsga2(PROBLEM, np.random.default_rng(0), population=12)
    archs = optimiser.ask(12)
    values, violation = costs(archs), np.array([0.0, 0.0, 0.0, 0.7, 1e12, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    values[1] = values[3, 0] = np.nan  # one failed, one whose expensive objective was not computed
    optimiser.tell(archs, values, violation)
    optimiser.ask(1)
    population = optimiser._algorithm.pop
    assert np.isfinite(population.get("F")).all()
    assert sorted(population.get("G")[:, 0].tolist()) == [0.0] * 9 + [0.7, FAILED, FAILED]
    assert population.get("FEAS").sum() == 9


def test_a_generation_of_failures_does_not_stop_it():
    optimiser = Nsga2(PROBLEM, np.random.default_rng(0), population=8)
    archs = found(optimiser, 64, values=lambda archs: np.full((len(archs), 2), np.nan))
    assert len(np.unique(archs, axis=0)) == 64


def test_nothing_is_printed_and_pymoo_comes_only_with_it():
    code = (
        "import sys, hwnas.search; assert 'pymoo' not in sys.modules\n"
        f"import runpy, types; toy = types.SimpleNamespace(**runpy.run_path({str(Path(__file__).parent / 'toy_space.py')!r}))\n"
        "from hwnas.search.algorithms import make\n"
        "make('nsga2', hwnas.search.Problem(toy.ToySpace(), (toy.cost(),)), 0, {}).ask(5); assert 'pymoo' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout == ""
