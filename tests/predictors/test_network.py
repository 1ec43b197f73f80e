from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.errors import InputError
from device_profiles.operators import Network
from device_profiles.profile import DeviceProfile
from predictors.head import ResidualHead
from predictors.network import NetworkPredictor
from predictors.network_fit import floor_ms

CALL_MS, DISPATCH_MS = 0.004, 0.0002


def truth(lab: SimpleNamespace, net: Network) -> float:
    return CALL_MS + sum(lab.true_ms(op) + DISPATCH_MS for op in net.operators)


def unseen(lab: SimpleNamespace, n: int) -> list[Network]:
    return [lab.chain(ops, f"unseen{i}") for i, ops in enumerate(lab.some_networks(lab.some_operators(60), n, seed=99))]


def test_prices_networks_it_has_not_seen(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    for net in unseen(lab, 20):
        assert predictor.predict(net).latency_ms.value == pytest.approx(truth(lab, net), rel=0.03)


def test_the_head_learned_what_the_sum_lacks(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    assert predictor.head_.scale == pytest.approx(1.0, abs=0.05)
    cheap = lab.chain([lab.elementwise("Sigmoid", 1, 16, 4, 4)] * 5)
    plain = sum(lab.true_ms(op) for op in cheap.operators)
    assert truth(lab, cheap) > 3 * plain
    assert predictor.predict(cheap).latency_ms.value > 2 * plain


def test_intervals_hold_the_truth(device: Any, lab: SimpleNamespace) -> None:
    """Of networks half of whose operators were never measured; the interval is wider for them."""
    operators = lab.some_operators(60)
    calibration = lab.some_networks(operators, 40)
    full, half = (NetworkPredictor().fit(device.profile(operators[:n], calibration)) for n in (60, 30))
    networks = [lab.chain(ops) for ops in lab.some_networks(operators, 60, seed=5)]
    for predictor in (full, half):
        found = [predictor.predict(net).latency_ms for net in networks]
        assert np.mean([q.low <= truth(lab, net) <= q.high for q, net in zip(found, networks, strict=True)]) >= 0.8
    assert np.mean([half.predict(net).latency_ms.high / full.predict(net).latency_ms.high for net in networks]) > 1


def test_explain_adds_up_to_the_last_bit(lab: SimpleNamespace, predictor: NetworkPredictor) -> None:
    for net in unseen(lab, 10):
        rows = predictor.explain(net)
        assert math.fsum(row["latency_ms"] for row in rows) == predictor.predict(net).latency_ms.value
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        assert [row["node"] for row in rows] == ["(call)", *(node.name for node in net.nodes)]
        assert all(row["low_ms"] <= row["latency_ms"] <= row["high_ms"] for row in rows)


@pytest.mark.parametrize(("operators", "networks"), [(1, 0), (3, 0), (3, 1), (3, 3)])
def test_few_measurements_are_honest(device: Any, lab: SimpleNamespace, operators: int, networks: int) -> None:
    measured = lab.some_operators(operators)
    few = NetworkPredictor().fit(device.profile(measured, lab.some_networks(measured, networks)))
    predictions = [few.predict(net) for net in unseen(lab, 20)]
    assert all(np.isfinite(p.latency_ms.value) and p.latency_ms.value > 0 for p in predictions)
    assert min(p.latency_ms.high / p.latency_ms.value for p in predictions) > 1.15
    held = [p.latency_ms.low <= truth(lab, net) <= p.latency_ms.high for p, net in zip(predictions, unseen(lab, 20), strict=True)]
    assert np.mean(held) >= 0.9


def test_no_measurements_are_refused_in_one_line(profile: DeviceProfile) -> None:
    empty = DeviceProfile(profile.header, [], "0" * 64)
    with pytest.raises(InputError, match="at least one measured operator") as caught:
        NetworkPredictor().fit(empty)
    assert "\n" not in str(caught.value)


def test_without_networks_the_head_is_the_sum_plus_the_measured_floor(device: Any, lab: SimpleNamespace) -> None:
    bare = device.profile(lab.some_operators(30))
    head = NetworkPredictor().fit(bare).head_
    assert head == ResidualHead(floor_ms(bare), 1.0)
    assert floor_ms(bare) == CALL_MS / 2


def test_failed_operators_are_noted(device: Any, lab: SimpleNamespace) -> None:
    broken = lab.conv(17, 19, 8)
    predictor = NetworkPredictor().fit(device.profile(lab.some_operators(30), failed=[broken]))
    notes = predictor.predict(lab.chain([broken, *lab.some_operators(3)])).notes()
    assert len(notes) == 1
    assert notes[0].startswith("could not be measured: ")


def test_asking_before_fitting_is_one_line(lab: SimpleNamespace, space: object) -> None:
    unfitted = NetworkPredictor()
    for ask in (lambda: unfitted.predict(unseen(lab, 1)[0]), lambda: unfitted.compile(space, lab.fusing), lambda: unfitted.save("x.json")):
        with pytest.raises(InputError, match="learned nothing yet"):
            ask()
    assert repr(unfitted) == "<NetworkPredictor, not fitted>"


def test_an_empty_network_has_no_price(predictor: NetworkPredictor) -> None:
    with pytest.raises(InputError, match="executes no operator"):
        predictor.predict(Network((), {}, (), "nothing"))


def test_onnx_file_is_lowered_and_keeps_its_own_macs(
    tmp_path: Path, lab: SimpleNamespace, predictor: NetworkPredictor, space: SimpleNamespace
) -> None:
    net = space.network(space.largest()[0])
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx_io.network_model(net))
    found = predictor.predict_onnx(file, lower=lab.fusing)
    assert found.latency_ms == predictor.predict(lab.fusing(net)).latency_ms
    assert (found.macs, found.params) == (net.macs, net.params)


def test_onnx_file_is_given_to_the_runtime_of_the_device(tmp_path: Path, predictor: NetworkPredictor, space: SimpleNamespace) -> None:
    net = space.network(space.smallest()[0])
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx_io.network_model(net))
    kinds = {price.operator.kind for price in predictor.predict_onnx(file).operators}
    assert "Relu" not in kinds  # fused
    assert "Gemm" in kinds


def test_onnx_file_of_which_it_is_known_what_is_executed_is_not_run(
    tmp_path: Path, predictor: NetworkPredictor, space: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*arguments: object, **options: object) -> Network:
        raise AssertionError("the runtime was asked")

    device, runtime = {"architecture": "x86_64", "isa": ["avx2", "avx512f"]}, {"name": "onnxruntime", "version": "1.31.1", "threads": 1}
    monkeypatch.setattr(predictor, "origin_", {**predictor.origin_, "device": device, "runtime": runtime})
    monkeypatch.setattr(NetworkPredictor, "_ask", ask)
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx_io.network_model(space.network(space.largest()[0])))
    kinds = {price.operator.kind for price in predictor.predict_onnx(file).operators}
    assert "nchwc.Conv" in kinds
    monkeypatch.setattr(predictor, "origin_", {**predictor.origin_, "runtime": {**runtime, "version": "0.1"}})
    with pytest.raises(AssertionError, match="was asked"):
        predictor.predict_onnx(file)


def test_onnx_file_that_is_missing_is_one_line(tmp_path: Path, predictor: NetworkPredictor) -> None:
    with pytest.raises(InputError, match=r"none\.onnx") as caught:
        predictor.predict_onnx(tmp_path / "none.onnx")
    assert "\n" not in str(caught.value)


def test_objective(lab: SimpleNamespace, predictor: NetworkPredictor, space: SimpleNamespace) -> None:
    cost = predictor.latency_ms
    assert (cost.name, cost.unit, cost.direction, cost.expensive) == ("latency_ms", "ms", "min", False)
    assert cost.compile(space, lab.fusing).price(space.smallest()).shape == (1,)


def test_table_of_measured_operators(predictor: NetworkPredictor) -> None:
    frame = predictor.to_dataframe()
    assert len(frame) == 60
    assert {"key", "kind", "family", "macs", "latency_ms", "low_ms", "high_ms"} <= set(frame.columns)
    assert repr(predictor).startswith("<NetworkPredictor imaginary/onnxruntime/1t: 60 operators, 12 networks, +-")


def test_prices_do_not_depend_on_the_hash_seed() -> None:
    code = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("lab", sys.argv[1])
lab = sys.modules["lab"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lab)
from predictors import NetworkPredictor
ops = lab.some_operators(40)
profile = lab.FakeDevice().profile(ops[:30], lab.some_networks(ops[:30], 4))
q = NetworkPredictor().fit(profile).predict(lab.chain(ops)).latency_ms
print(repr((q.value, q.low, q.high)))
"""
    command = [sys.executable, "-c", code, str(Path(__file__).with_name("conftest.py"))]
    environments = [{"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"} for seed in ("1", "2")]
    first, second = (subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout for env in environments)
    assert first == second != ""
