"""The battery of modelled accelerators: a new one joins `DESIGNS`."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.operators import Network
from hwnas.objectives import as_objective
from predictors.accelerators import Accelerator, CrossbarTiles, Refitted, SystolicArray
from predictors.accelerators.base import COSTS

DESIGNS = {
    "weight-stationary": SystolicArray(),
    "output-stationary": SystolicArray(dataflow="output-stationary", bits=32),
    "crossbar": CrossbarTiles(),
}


@pytest.fixture(params=[*DESIGNS, "refitted"])
def accelerator(request: pytest.FixtureRequest, lab: SimpleNamespace) -> Accelerator:
    if request.param != "refitted":
        return DESIGNS[request.param]
    networks = [lab.chain(operators) for operators in lab.some_networks(lab.some_operators(20), 20)]
    return Refitted(CrossbarTiles()).fit(networks, latency_ms=[1 + network.macs * 1e-8 for network in networks])


def test_every_operator_has_a_price(lab: SimpleNamespace, accelerator: Accelerator) -> None:
    strange = [lab.elementwise("Odd", 1), lab.elementwise("Flatten", 0), lab.gemm(1, 1, 1), *lab.some_operators(30)]
    for op in strange:
        cost = accelerator.operator(op)
        assert cost.latency_ms > 0
        assert cost.energy_mj > 0
        assert cost.area_mm2 >= 0
        assert all(math.isfinite(value) for value in cost.details.values())


def test_the_explanation_adds_up(lab: SimpleNamespace, accelerator: Accelerator) -> None:
    network = lab.chain(lab.some_operators(20))
    prediction = accelerator.predict(network)
    rows = prediction.explain()
    assert len(rows) == 21
    for name in COSTS:
        quantity = getattr(prediction, name)
        assert math.fsum(row[name] for row in rows) == quantity.value > 0
        assert quantity.origin == "modelled"
        assert quantity.low == quantity.value == quantity.high
    assert prediction.to_json(explain=True)["operators"] == rows == accelerator.explain(network)


def test_memory_is_in_numbers_of_the_accelerator(lab: SimpleNamespace, accelerator: Accelerator) -> None:
    network = lab.chain([lab.gemm(1, 100, 10)])
    # 1,000 weights and 10 biases; 10 results alive at the end beside the input value of the chain.
    expected = (network.params + network.peak_activation_bytes / 4) * accelerator.bits / 8 / 1e6
    assert accelerator.predict(network).memory_mb.value == pytest.approx(expected)


def test_tables_equal_the_graph_path(space: SimpleNamespace, accelerator: Accelerator) -> None:
    archs = space.sample(10, np.random.default_rng(0))
    for name, unit in COSTS.items():
        objective = as_objective(getattr(accelerator, name), space)
        assert (objective.name, objective.unit, objective.origin) == (name, unit, "modelled")
        expected = [getattr(accelerator.predict(space.network(arch)), name).value for arch in archs]
        np.testing.assert_allclose(objective.evaluate(archs).values, expected, rtol=1e-12)
        table = objective.source
        assert table.columns[0] == table.quantity == name
        np.testing.assert_array_equal(table.interval(archs)[:, 0], table.interval(archs)[:, 1])
        assert table.check(lambda network: network, 3, np.random.default_rng(1)) < 1e-12
    assert accelerator.compile(space).price(archs).tolist() == accelerator.latency_ms.compile(space).price(archs).tolist()


def test_fusing_is_cheaper(lab: SimpleNamespace, space: SimpleNamespace, accelerator: Accelerator) -> None:
    network = space.network(space.smallest()[0])
    fused = accelerator.predict(lab.fusing(network))
    assert fused.energy_mj.value < accelerator.predict(network).energy_mj.value


def test_nothing_to_price(accelerator: Accelerator) -> None:
    with pytest.raises(InputError, match="has no operator"):
        accelerator.predict(Network((), {}, ()))
