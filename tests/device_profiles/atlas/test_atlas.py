"""The atlas: every family draws networks that hold together, that the runtime runs, and that are never the same twice."""

import numpy as np
import pytest

from device_profiles import atlas
from device_profiles.graphs.models import network_model
from device_profiles.runtimes import RuntimeProcess
from device_profiles.validate import validate

FAMILIES = sorted(atlas.FAMILIES)


@pytest.fixture(scope="module")
def runtime():
    with RuntimeProcess() as process:
        yield process


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_draws_networks_that_hold_together(family):
    for seed in range(10):
        network = atlas.network(family, np.random.default_rng(seed))
        validate(network)
        assert atlas.MACS[0] <= network.macs <= atlas.MACS[1]
        assert network.name == family


@pytest.mark.parametrize("family", FAMILIES)
def test_the_runtime_runs_a_family_and_computes_as_much_as_was_written(family, runtime):
    network = atlas.network(family, np.random.default_rng(0))
    executed = runtime.executed_graph(network_model(network), family)
    # Padding channels to blocks may add work, nothing may take any away; pruned channels of shuffles stay within a few percent.
    assert network.macs <= executed.macs * 1.001 <= 2 * network.macs


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_decides(family):
    same = [atlas.network(family, np.random.default_rng(3)) for _ in range(2)]
    other = atlas.network(family, np.random.default_rng(4))
    assert same[0] == same[1]
    assert same[0] != other


def test_networks_go_round_the_families():
    drawn = atlas.rounds(2, np.random.default_rng(0))
    names = [name for name, _ in drawn]
    assert len(set(names)) == len(names)
    assert {name.partition("/")[0] for name in names[: len(names) // 2]} == {*FAMILIES, *(f"int8_{name}" for name in atlas.QUANTISED)}
    again = atlas.networks(np.random.default_rng(0))
    assert [next(again) for _ in names] == drawn


def test_a_family_that_goes_leaves_the_others_as_they_were(monkeypatch):
    before = dict(atlas.rounds(2, np.random.default_rng(0)))
    monkeypatch.setattr(atlas, "FAMILIES", {name: family for name, family in atlas.FAMILIES.items() if name != "vgg"})
    after = dict(atlas.rounds(2, np.random.default_rng(0)))
    assert before.keys() - after.keys() == {"vgg/0", "vgg/1"}
    assert all(before[name].nodes == network.nodes for name, network in after.items())


@pytest.mark.parametrize("seed", range(3))
def test_few_decoders_hold_every_way_to_enlarge(seed):
    drawn = [network for name, network in atlas.rounds(4, np.random.default_rng(seed)) if name.startswith("decoder/")]
    operators = [node.operator for network in drawn for node in network.nodes]
    ways = {(op.kind, op.attribute("mode")) for op in operators if op.kind in ("Resize", "ConvTranspose", "DepthToSpace")}
    assert ways == {("Resize", "nearest"), ("Resize", "linear"), ("Resize", "cubic"), ("ConvTranspose", None), ("DepthToSpace", "CRD")}
