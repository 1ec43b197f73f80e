"""What is measured for any network: the plan of the atlas, the same here and elsewhere."""

import pytest

from device_profiles import atlas
from device_profiles.boards.shipped import plan_models
from device_profiles.errors import DeviceError, RuntimeFailure
from device_profiles.graphs.weights import fill_weights
from device_profiles.runtimes import RuntimeProcess
from hwnas import profiling, shipping


@pytest.fixture
def two_families(monkeypatch):
    monkeypatch.setattr(atlas, "QUANTISED", ())
    monkeypatch.setattr(atlas, "FAMILIES", {name: atlas.FAMILIES[name] for name in ("separable", "mixer")})


@pytest.fixture(scope="module")
def runtime():
    with RuntimeProcess() as process:
        yield process


def test_the_plan_of_the_atlas(two_families, runtime):
    shares = []
    plan = profiling.plan_atlas(runtime, seed=1, rounds=2, progress=lambda share, _: shares.append(share))
    assert sorted(net.name for net in plan.networks) == ["atlas/mixer/0", "atlas/mixer/1", "atlas/separable/0", "atlas/separable/1"]
    assert {op.key for op in plan.operators} == {op.key for net in plan.networks for op in net.executed.operators}
    assert shares == [0.25, 0.5, 0.75, 1.0]
    again = runtime.executed_graph(fill_weights(plan.networks[0].model), plan.networks[0].name)
    assert again.counts() == plan.networks[0].executed.counts()  # the model that is kept holds no weights and executes the same


def test_the_same_networks_are_measured_elsewhere(two_families, runtime, monkeypatch):
    monkeypatch.setattr(shipping, "ATLAS_ROUNDS", 2)
    here = profiling.plan_atlas(runtime, seed=1, rounds=2)
    there, notes = plan_models(shipping.atlas_models(seed=1), runtime, profiling.WHOLE_NETWORKS, lambda share, message: None)
    assert not notes
    assert [op.key for op in there.operators] == [op.key for op in here.operators]
    assert [net.name for net in there.networks] == [net.name for net in here.networks]


def test_a_network_that_the_runtime_refuses_is_left_out(two_families, runtime, monkeypatch):
    ask = RuntimeProcess.executed_graph
    monkeypatch.setattr(RuntimeProcess, "executed_graph", lambda self, model, name: _refuse(name) or ask(self, model, name))
    plan = profiling.plan_atlas(runtime, rounds=1)
    assert [net.name for net in plan.networks] == ["atlas/separable/0"]
    monkeypatch.setattr(RuntimeProcess, "executed_graph", lambda self, model, name: _refuse("mixer"))
    with pytest.raises(DeviceError, match="runs none of the networks of the atlas"):
        profiling.plan_atlas(runtime, rounds=1)


def _refuse(name):
    if name.startswith("mixer"):
        raise RuntimeFailure("no kernel")
