from __future__ import annotations

import pytest

from device_profiles import onnx_io
from device_profiles.in_context import in_context
from device_profiles.operators import Network
from device_profiles.plan import WholeNetwork
from device_profiles.runtimes import RuntimeFailure, RuntimeProcess


def whole(runtime: RuntimeProcess, network: Network) -> WholeNetwork:
    model = onnx_io.network_model(network)
    return WholeNetwork(network.name, model, runtime.executed_graph(model))


def test_every_executed_node_has_a_time_per_run(runtime: RuntimeProcess, network: Network) -> None:
    known = whole(runtime, network)
    found = in_context(runtime, known, runs=7)
    assert sorted(time.node.operator.key for time in found) == sorted(operator.key for operator in known.executed.operators)
    assert all(time.times_ms.shape == (7,) and time.times_ms.min() >= 0 for time in found)
    assert sum(time.latency_ms for time in found) > 0
    for time in found:
        assert time.times_ms.min() <= time.latency_ms <= time.times_ms.max()


def test_a_runtime_that_does_not_tell_says_so(network: Network) -> None:
    pytest.importorskip("openvino")
    with RuntimeProcess("openvino") as runtime, pytest.raises(RuntimeFailure, match="openvino does not tell the times of single nodes"):
        in_context(runtime, whole(runtime, network))
