"""NSGA-III: its directions, that it is worth its name with three objectives, and that it leaves the process as it was."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.front import hypervolume
from hwnas.search import Problem
from hwnas.search.algorithms import make

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
SPACE = toy.ToySpace(10, 6)


def macs(archs):
    mask = np.arange(archs.shape[1] - 1) <= archs[:, :1]
    return (mask * archs[:, 1:] ** 2 * np.linspace(2, 1, archs.shape[1] - 1)).sum(axis=1)


THREE = Problem(SPACE, (toy.score(), toy.cost(), toy.cost(macs, "macs", "")))
REFERENCE = np.array([0.0, float(toy.latency(SPACE.largest())[0]), float(macs(SPACE.largest())[0])])


def costs(archs):
    mask = np.arange(archs.shape[1] - 1) <= archs[:, :1]
    weight = 1 + 0.5 * np.cos(np.arange(archs.shape[1] - 1))
    return np.column_stack([np.exp(-0.02 * (mask * archs[:, 1:] * weight).sum(axis=1)) - 1, toy.latency(archs), macs(archs)])


def found(algorithm, seed, evaluations, values=costs, **options):
    optimiser, parts = make(algorithm, THREE, seed, options), []
    while sum(map(len, parts)) < evaluations:
        parts.append(optimiser.ask(optimiser.batch))
        optimiser.tell(parts[-1], values(parts[-1]), np.zeros(len(parts[-1])))
    return np.concatenate(parts)[:evaluations]


@pytest.mark.parametrize(("population", "objectives", "directions"), [(24, 2, 24), (24, 3, 21), (28, 3, 28), (4, 3, 3), (9, 1, 1)])
def test_as_many_even_directions_as_the_population_can_hold(population, objectives, directions):
    problem = Problem(SPACE, THREE.objectives[:objectives])
    algorithm = make("nsga3", problem, 0, {"population": population})._algorithm
    assert algorithm.ref_dirs.shape == (directions, objectives)
    np.testing.assert_allclose(algorithm.ref_dirs.sum(axis=1), 1.0)
    assert algorithm.pop_size == population


def test_a_population_that_cannot_hold_a_direction_per_objective_is_refused():
    many = Problem(SPACE, tuple(toy.cost(lambda archs, i=i: toy.latency(archs) + i, f"cost{i}", "") for i in range(6)))
    with pytest.raises(InputError, match="at least one per objective, 6, got 5"):
        make("nsga3", many, 0, {"population": 5})
    with pytest.raises(InputError, match="nsga3 needs a population of at least 4, got 3"):
        make("nsga3", THREE, 0, {"population": 3})


def test_beats_random_search_on_three_objectives():
    for seed in range(3):
        volumes = [hypervolume(costs(found(name, seed, 400)), REFERENCE) for name in ("nsga3", "random")]
        assert volumes[0] > volumes[1]


def test_units_do_not_matter():
    small = found("nsga3", 0, 120, lambda archs: costs(archs) * np.array([2.0**-20, 1.0, 2.0**20]))
    np.testing.assert_array_equal(small, found("nsga3", 0, 120))


def test_warnings_of_the_process_stay_as_they_were():
    before = list(warnings.filters)
    found("nsga3", 0, 72)
    assert warnings.filters == before


def test_a_generation_of_failures_does_not_stop_it():
    archs = found("nsga3", 0, 96, lambda archs: np.full((len(archs), 3), np.nan))
    assert len(np.unique(archs, axis=0)) == 96
