from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from predictors.energy import GraphEnergy
from predictors.features import family
from predictors.totals import network_totals


def campaign(lab: SimpleNamespace, n: int, seed: int, noise: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Totals, energies and latencies of imaginary networks: additive times, and 1 W for matrix products where all else draws 2."""
    rng = np.random.default_rng(seed)
    networks = lab.some_networks(lab.some_operators(30), n, seed)
    latency, energy = np.zeros(n), np.zeros(n)
    for i, operators in enumerate(networks):
        for op in operators:
            ms = 2e-4 + op.macs / 3e7 + (op.read_bytes + op.written_bytes) / 1e7
            latency[i] += ms
            energy[i] += ms * (1.0 if family(op) == "matmul" else 2.0)
    totals = network_totals([lab.chain(operators) for operators in networks])
    return totals, energy * np.exp(rng.normal(0, noise, n)), latency


def test_beats_the_constant_power(lab: SimpleNamespace) -> None:
    model = GraphEnergy().fit(*campaign(lab, 150, 0))
    totals, energy, latency = campaign(lab, 300, 1, noise=0)
    errors = np.abs(model.predict(totals) / energy - 1)
    assert errors.mean() < 0.01
    assert errors.mean() < 0.5 * np.abs(model.power_.constant_w_ * latency / energy - 1).mean()
    np.testing.assert_allclose(model.times_ms(totals).sum(axis=1), latency, rtol=0.05)


def test_intervals_cover(lab: SimpleNamespace) -> None:
    model = GraphEnergy().fit(*campaign(lab, 200, 2, noise=0.05))
    totals, energy, _ = campaign(lab, 500, 3, noise=0.05)
    low, high = model.interval(totals).T
    assert 0.84 < np.mean((low <= energy) & (energy <= high)) < 0.96


@pytest.mark.parametrize("n", [1, 3])
def test_few_networks_are_enough_to_price(lab: SimpleNamespace, n: int) -> None:
    model = GraphEnergy().fit(*campaign(lab, n, 4))
    assert (model.predict(campaign(lab, 20, 5)[0]) > 0).all()
    assert model.width_ > 0.1


def test_wrong_numbers_are_refused(lab: SimpleNamespace) -> None:
    totals, energy, latency = campaign(lab, 5, 6)
    with pytest.raises(InputError, match="must be above 0"):
        GraphEnergy().fit(totals, energy - energy, latency)
    with pytest.raises(InputError, match="every network needs"):
        GraphEnergy().fit(totals, energy[:4], latency)
    with pytest.raises(InputError, match="every network needs"):
        GraphEnergy().fit(totals[:, :5], energy, latency)
