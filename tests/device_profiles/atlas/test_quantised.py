"""Networks of the atlas in eight bits: they hold together, and the runtime makes integer kernels of them."""

import numpy as np
import pytest

from device_profiles import atlas
from device_profiles.atlas.quantised import quantised
from device_profiles.graphs.models import network_model, operator_model
from device_profiles.runtimes import RuntimeProcess
from device_profiles.validate import validate


@pytest.fixture(scope="module")
def runtime():
    with RuntimeProcess() as process:
        yield process


@pytest.mark.parametrize("family", atlas.QUANTISED)
def test_it_is_the_same_work_with_a_quarter_of_the_weight(family):
    network = atlas.network(family, np.random.default_rng(1))
    small = quantised(network)
    validate(small)
    assert small.macs == network.macs
    assert small.weight_bytes < 0.35 * network.weight_bytes


@pytest.mark.parametrize("family", atlas.QUANTISED)
def test_the_runtime_makes_integer_kernels_of_it(family, runtime):
    network = quantised(atlas.network(family, np.random.default_rng(0)))
    executed = runtime.executed_graph(network_model(network), family)
    whole = sum(op.macs for op in executed.operators if op.base_kind in ("QLinearConv", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat"))
    assert whole >= 0.9 * network.macs


def test_activations_that_the_range_computes_are_gone():
    network = atlas.network("resnet", np.random.default_rng(2))
    kinds = [op.kind for op in quantised(network).operators]
    assert "Relu" in [op.kind for op in network.operators]
    assert "Relu" not in kinds
    assert kinds.count("Conv") == [op.kind for op in network.operators].count("Conv")


def test_its_operators_can_be_timed_alone(runtime):
    executed = runtime.executed_graph(network_model(quantised(atlas.network("separable", np.random.default_rng(0)))), "net")
    for operator, _ in executed.counts():
        handle = runtime.load(operator_model(operator, 2), isolated=True)
        assert (runtime.time(handle, warmup=1, block_ns=0, min_calls=1, max_calls=1) > 0).all()
        runtime.unload(handle)
