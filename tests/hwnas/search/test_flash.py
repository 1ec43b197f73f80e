"""FLASH's search: direct where everything is cheap, NN-Degree where the accuracy is not."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas import spaces
from hwnas.accuracy import NNDegree
from hwnas.front import hypervolume
from hwnas.objectives import Objective, as_constraints, as_objectives
from hwnas.search import Problem, search
from hwnas.search.algorithms import make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = spaces.load("flash-dense")
DEGREE = NNDegree(SPACE)


def work(archs):
    """Multiply-adds of the cells, about: width^2 x depth, and what the skips add, in millions at 32 x 32 pixels."""
    total = np.zeros(len(archs))
    for c in range(4):
        width, depth, skip = (np.array(SPACE.choices[3 * c + k].values, dtype=float)[archs[:, 3 * c + k]] for k in range(3))
        total += 9 * width**2 * (depth + skip * np.maximum(depth - 2, 0)) * (32 // 2**c) ** 2 / 1e6
    return total


def cost(fn=work):
    return Objective("latency_ms", "ms", "min", False, fn)


def trained(degrees):
    return 1.0 / (1.02 + np.exp(300.0 / degrees - 4.0))


def test_the_first_proposal_is_the_best_product_and_nothing_random_comes_near():
    problem = Problem(SPACE, as_objectives([DEGREE, cost()], SPACE), ())
    problem = Problem(SPACE, problem.objectives, as_constraints(["nn_degree >= 900", "latency_ms <= 2000"], problem.objectives))
    best = make("flash", problem, 0, {}).ask(8)[:1]
    assert DEGREE(best)[0] >= 900
    assert work(best)[0] <= 2000
    drawn = SPACE.sample(2000, np.random.default_rng(0))
    drawn = drawn[problem.feasible_sampler.feasible(drawn)]
    assert len(drawn) > 50
    assert DEGREE(best)[0] / work(best)[0] > (DEGREE(drawn) / work(drawn)).max()


def test_cheap_objectives_alone_need_no_random_start_and_reach_a_wide_front(tmp_path):
    run = search(SPACE, [DEGREE, cost()], algorithm="flash", evaluations=64, seed=0, out=tmp_path / "flash")
    other = search(SPACE, [DEGREE, cost()], algorithm="random", evaluations=64, seed=0, out=tmp_path / "random")
    corner = np.array([-100.0, 6000.0])
    volumes = [hypervolume(r.front().values * np.array([-1.0, 1.0]), corner) for r in (run, other)]
    assert volumes[0] > 1.1 * volumes[1]


def test_an_expensive_accuracy_is_learned_from_25_networks_and_found_by_nn_degree():
    evaluated = []

    def accuracy(archs):
        evaluated.extend(archs.tolist())
        return trained(DEGREE(archs))

    objectives = (Objective("accuracy", "", "max", True, accuracy, (0.0, 1.0)), cost())
    optimiser = make("flash", Problem(SPACE, objectives, as_constraints(["latency_ms <= 1500"], objectives)), 0, {})
    archs = optimiser.ask(optimiser.batch)
    assert len(archs) == 25
    optimiser.tell(archs, np.column_stack([-accuracy(archs), work(archs)]), np.zeros(25))
    archs = optimiser.ask(optimiser.batch)
    assert len(evaluated) == 25
    model = optimiser._models[0]
    drawn = SPACE.sample(200, np.random.default_rng(1))
    np.testing.assert_allclose(model(drawn), trained(DEGREE(drawn)), atol=0.002)
    assert (work(archs) <= 1500).all()


def test_without_nn_degree_it_models_sums_over_parts(tmp_path):
    space = toy.ToySpace()
    run = search(space, [toy.score(), toy.cost()], algorithm="flash", evaluations=90, seed=0, out=tmp_path / "flash")
    other = search(space, [toy.score(), toy.cost()], algorithm="random", evaluations=90, seed=0, out=tmp_path / "random")
    assert run.hypervolume_course()[1][-1] > other.hypervolume_course()[1][-1]


def test_options_arrive():
    problem = Problem(toy.ToySpace(), (toy.score(), toy.cost()))
    optimiser = make("flash", problem, 0, {"initial": 12, "samples": 8})
    assert (optimiser.initial, optimiser.samples) == (12, 8)
    assert len(optimiser.ask(12)) == 12
