from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile
from hwnas.objectives import as_objective
from hwnas.provenance import provenance
from predictors.features import family
from predictors.network import NetworkPredictor
from predictors.store import load


def watts(op: object) -> float:
    """Depthwise kernels wait for memory and draw less."""
    return 1.0 if family(op) == "depthwise" else 2.5  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def metered(lab: SimpleNamespace, device: SimpleNamespace) -> DeviceProfile:
    """The profile of the imaginary device with the energy of all of its operators and networks."""
    operators = lab.some_operators(60)
    networks = lab.some_networks(operators, 12)
    profile = device.profile(operators, networks)
    rng = np.random.default_rng(3)

    def line(of: str, energy: float) -> dict[str, object]:
        value = energy * float(np.exp(rng.normal(0, 0.01)))
        quantity = {"value": value, "low": value * 0.98, "high": value * 1.02, "origin": "measured"}
        return {
            "type": "energy", "key": f"energy/{of}", "of": of, "status": "ok", "energy_mj": quantity, "total_energy_mj": quantity,
            "power_w": quantity, "idle_w": quantity,
        }  # fmt: skip

    lines = [line(op.key, watts(op) * lab.true_ms(op)) for op in operators]
    for i, ops in enumerate(networks):
        kernels = sum(lab.true_ms(op) for op in ops)
        mean = sum(watts(op) * lab.true_ms(op) for op in ops) / kernels
        lines.append(line(f"network/{i}", mean * device.network_ms(ops)))
    return DeviceProfile(profile.header, [*profile.lines, *lines], profile.sha256)


@pytest.fixture(scope="module")
def fitted(metered: DeviceProfile) -> NetworkPredictor:
    return NetworkPredictor().fit(metered)


def test_learns_the_power_of_every_family(lab: SimpleNamespace, device: SimpleNamespace, fitted: NetworkPredictor) -> None:
    assert fitted.energy_ is not None
    errors, constant, inside = [], [], []
    for ops in lab.some_networks(lab.some_operators(60), 40, seed=5):
        truth = sum(watts(op) * lab.true_ms(op) for op in ops) / sum(lab.true_ms(op) for op in ops) * device.network_ms(ops)
        energy = fitted.predict(lab.chain(ops)).energy_mj
        assert energy is not None
        assert energy.origin == "predicted"
        errors.append(abs(energy.value / truth - 1))
        constant.append(abs(fitted.energy_.power.constant_w_ * device.network_ms(ops) / truth - 1))
        inside.append(energy.low <= truth <= energy.high)
    assert np.mean(errors) < 0.03 < np.mean(constant)
    assert np.mean(inside) > 0.85


def test_the_table_equals_the_graph_path(lab: SimpleNamespace, space: SimpleNamespace, fitted: NetworkPredictor) -> None:
    table = fitted.energy_mj.compile(space, lab.fusing)
    assert table.check(lab.fusing, 20, np.random.default_rng(0)) < 1e-12
    assert table.columns[:2] == ("energy_mj", "doubt_mj")
    archs = space.sample(10, np.random.default_rng(1))
    quantities = [fitted.predict(lab.fusing(space.network(arch))).energy_mj for arch in archs]
    np.testing.assert_allclose(table.interval(archs), [[q.low, q.high] for q in quantities if q is not None])


def test_a_search_takes_it_and_records_the_device(space: SimpleNamespace, fitted: NetworkPredictor) -> None:
    objective = as_objective(fitted.energy_mj, space)
    assert (objective.name, objective.unit, objective.direction) == ("energy_mj", "mJ", "min")
    assert (objective.evaluate(space.sample(5, np.random.default_rng(2))).values > 0).all()
    assert provenance([fitted.energy_mj])["device"]["name"] == fitted.device_name_


def test_saved_and_loaded(tmp_path: Path, lab: SimpleNamespace, fitted: NetworkPredictor) -> None:
    fitted.save(tmp_path / "device.json")
    again = load(tmp_path / "device.json")
    network = lab.chain(lab.some_operators(20, seed=7))
    assert again.predict(network).energy_mj == fitted.predict(network).energy_mj
    assert "energy_mj" in again.predict(network).to_json()


def test_without_energy_there_is_none(tmp_path: Path, lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    prediction = predictor.predict(lab.chain(lab.some_operators(5)))
    assert prediction.energy_mj is None
    assert "energy_mj" not in prediction.to_json()
    with pytest.raises(InputError, match="no energy was measured on"):
        _ = predictor.energy_mj
    predictor.save(tmp_path / "device.json")
    assert load(tmp_path / "device.json").energy_ is None
