"""The surrogate-assisted loop: fewer evaluations than random search, whatever is known and however large the space."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.objectives import Objective
from hwnas.replay.drive import drive
from hwnas.search import Problem
from hwnas.search.algorithms import make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
DATA = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[4] / "shared" / "data"))


def volume(problem, algorithm, corner, evaluations=40):
    return np.mean([drive(problem, algorithm, seed, evaluations, corner).hypervolume[-1] for seed in range(3)])


@pytest.mark.parametrize("blocks", [5, 12])  # enumerated, and sampled
def test_finds_more_than_random_search(blocks):
    worst = 0.1 + 0.31 * blocks
    problem = Problem(toy.ToySpace(blocks, 4), (toy.score(), toy.cost()), (), (0.5, worst))
    corner = np.array([-0.5, worst])
    assert volume(problem, "surrogate", corner) > volume(problem, "random", corner)


def test_two_expensive_objectives_and_a_known_one():
    energy = Objective("energy_mj", "mJ", "min", True, lambda a: toy.latency(a) ** 1.5 + 0.1 * a[:, 1], (0.0, 100.0))
    problem = Problem(toy.ToySpace(5, 4), (toy.score(), energy, toy.cost()), (), (0.5, 3.0, 2.0))
    corner = np.array([-0.5, 3.0, 2.0])
    assert volume(problem, "surrogate", corner) > volume(problem, "random", corner)


def test_asks_for_more_at_a_time_the_more_was_evaluated():
    optimiser = make("surrogate", Problem(toy.ToySpace(), (toy.score(), toy.cost())), 0, {})
    sizes = []
    while sum(sizes) < 110:
        archs = optimiser.ask(optimiser.batch)
        optimiser.tell(archs, np.column_stack([-toy.accuracy(archs), toy.latency(archs)]), np.zeros(len(archs)))
        sizes.append(len(archs))
    assert sizes[0] == 12
    assert sizes[1] == 1
    assert sizes[-1] > 2


def test_a_reference_says_where_nothing_is_to_be_gained():
    problem = Problem(toy.ToySpace(), (toy.score(), toy.cost()), (), (0.7, 0.8))
    course = drive(problem, "surrogate", 0, 60, np.array([-0.7, 0.8]))
    free = drive(Problem(problem.space, problem.objectives), "surrogate", 0, 60, np.array([-0.7, 0.8]))
    assert course.hypervolume[-1] >= free.hypervolume[-1]


def test_nas_bench_201_in_a_quarter_of_nsga2s_evaluations():
    if not (DATA / "nb201" / "nb201.npz").exists():
        pytest.skip("the recorded table is not here")
    from hwnas.replay.goal import true_volume
    from hwnas.search.tables import TableSpace, read_table

    space = TableSpace(read_table(DATA / "nb201" / "nb201.npz"))
    worst = float(np.percentile(space.table.column("latency_ms", "1080ti_1"), 99.9))
    problem = Problem(space, (space.objective("accuracy", "cifar10"), space.objective("latency_ms", "1080ti_1")), (), (0.7, worst))
    corner = np.array([-0.7, worst])
    course = drive(problem, "surrogate", 0, 100, corner, until=0.99 * true_volume(problem, space, corner))
    assert len(course.hypervolume) < 100
