from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import predictors
from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.operators import Tensor
from device_profiles.plan import WholeNetwork, make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A predictor, the profile it was fitted on, and a model."""
    folder = tmp_path_factory.mktemp("adapt")
    net = NetworkBuilder("n", {"x": Tensor((1, 16, 16, 16))})
    model = onnx_io.network_model(net.build(net.activation("r", net.conv("b", net.conv("a", "x", 32, 3), 32, 1))))
    with RuntimeProcess("onnxruntime", 1) as runtime:
        whole = WholeNetwork("mobilenet/0.0/1x16x16", model, runtime.executed_graph(model))
        settings = Protocol(block_ms=1.0, min_rounds=6, max_rounds=12, prelude_rounds=6, quiet=0.0)
        Campaign(make_plan([whole.executed], [whole]), folder / "p.jsonl", runtime, settings=settings).run()
    predictors.NetworkPredictor().fit(DeviceProfile.read(folder / "p.jsonl")).save(folder / "d.json")
    (folder / "net.onnx").write_bytes(model)
    return folder / "d.json", folder / "p.jsonl", folder / "net.onnx"


def test_a_profile_adapts_a_predictor(measured: tuple[Path, Path, Path], cli: Any, tmp_path: Path) -> None:
    device, profile, model = measured
    code, out, err = cli("transfer", device, profile, "--out", tmp_path / "d2.json", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["networks"] == 1
    # The same measurements again: nothing changed.
    assert all(ratio == pytest.approx(1.0) for ratio in found["ratios"].values())
    code, out, err = cli("predict", model, "--device", tmp_path / "d2.json", "--json")
    assert code == 0, err
    assert json.loads(out)["latency_ms"]["value"] > 0


def test_what_says_the_most_is_measured_here(measured: tuple[Path, Path, Path], cli: Any, tmp_path: Path) -> None:
    device, _, _ = measured
    small = tmp_path / "small.jsonl"
    code, out, err = cli("transfer", device, small, "--measure", "2", "--budget", "5s", "--out", tmp_path / "d2.json")
    assert code == 0, err
    assert "2 operators, 0 networks measured" in out
    assert len(DeviceProfile.read(small).operators()) == 2
    assert predictors.load(tmp_path / "d2.json").origin_["profile"]["transferred_from"]["device"]


def test_a_profile_that_is_not_there_is_one_line(measured: tuple[Path, Path, Path], cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("transfer", measured[0], tmp_path / "none.jsonl", "--out", tmp_path / "d2.json")
    assert code == 2
    assert "none.jsonl" in err
    assert len(err.strip().splitlines()) == 1
