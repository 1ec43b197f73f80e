from __future__ import annotations

from pathlib import Path

import onnx

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.fingerprint import device_fingerprint
from device_profiles.graphs.weights import fill_weights
from device_profiles.operators import Tensor
from device_profiles.protocol import Protocol
from device_profiles.runtimes.process import RuntimeProcess
from hwnas.export.measure import Costs, elsewhere, measure

FAST = Protocol(min_rounds=3, max_rounds=4, prelude_rounds=1, quiet=0.0)


def model(width: int) -> bytes:
    net = NetworkBuilder("small", {"input": Tensor((1, 3, 12, 12))})
    return fill_weights(onnx_io.network_model(net.build(net.conv("conv", "input", width, 3))))


def unknown_operator() -> bytes:
    make = onnx.helper
    value, result = (make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = make.make_graph([make.make_node("NoSuchOperator", ["x"], ["y"], name="n")], "model", [value], [result])
    return bytes(make.make_model(graph, ir_version=10, opset_imports=[make.make_opsetid("", 18)]).SerializeToString())


def test_models_are_measured_by_their_content_and_refused_ones_say_why(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with RuntimeProcess() as runtime:
        first = measure({"a": model(4), "bad": unknown_operator()}, path, runtime, settings=FAST)
        lines = path.read_text()
        again = measure({"a": model(4)}, path, runtime, settings=FAST)
        assert path.read_text().count('"network"') == lines.count('"network"')
        other = measure({"a": model(8)}, path, runtime, settings=FAST)
    latency = first["a"].latency_ms
    assert latency is not None
    assert latency.origin == "measured"
    assert again["a"] == first["a"]
    assert other["a"].latency_ms != latency
    assert first["bad"].latency_ms is None
    assert first["bad"].problem.startswith("onnxruntime does not run it")


def test_a_budget_that_is_too_short_is_named(tmp_path: Path) -> None:
    with RuntimeProcess() as runtime:
        found = measure({"a": model(4)}, tmp_path / "p.jsonl", runtime, budget_s=0.001)
    assert found["a"].problem == "not measured: the budget was too short"
    assert found["a"].to_json() == {"problem": "not measured: the budget was too short"}


def test_another_device_is_told_by_what_differs() -> None:
    with RuntimeProcess() as runtime:
        here = {"device": device_fingerprint(), "runtime": runtime.fingerprint()}
        assert elsewhere(here, runtime) == []
        assert elsewhere({"name": "x"}, runtime) == []
        assert any("threads" in line for line in elsewhere({**here, "runtime": {**here["runtime"], "threads": 9}}, runtime))
    assert Costs().to_json() == {}
