"""`kit` and `profile --host` as a user meets them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from device_profiles.builder import NetworkBuilder
from device_profiles.graphs.models import network_model
from device_profiles.operators import Tensor


@pytest.fixture
def model(tmp_path: Path) -> Path:
    net = NetworkBuilder("m", {"x": Tensor((1, 3, 8, 8))})
    path = tmp_path / "m.onnx"
    path.write_bytes(network_model(net.build(net.conv("conv", "x", 64, 3))))
    return path


def test_kit_of_a_space_and_of_files(cli: Any, model: Path, tmp_path: Path) -> None:
    code, out, err = cli("kit", "--space", "mobilenet-small", "--resolution", "16", "--out", tmp_path / "space.pyz", "--json")
    assert code == 0, err
    assert json.loads(out)["models"] > 20
    code, out, err = cli("kit", "--onnx", model, "--out", tmp_path / "file.pyz")
    assert code == 0, err
    assert "python3 file.pyz --out P.jsonl" in out
    with zipfile.ZipFile(tmp_path / "file.pyz") as archive:
        assert json.loads(archive.read("kit.json")) == {"models": ["m/1x3x8x8"], "whole": None}
        assert len(archive.read("models/0000.onnx")) < model.stat().st_size / 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["kit", "--out", "k.pyz", "--space", "s", "--onnx", "f"], 2, "either --space NAME or --onnx FILE"),
        (["kit", "--out", "k.pyz", "--space", "mobilnet-small"], 2, "did you mean"),
        (["kit", "--out", "k.pyz", "--onnx", "none.onnx"], 2, "none.onnx"),
        (["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--host", "-oProxyCommand=x"], 2, "not a host"),
        (["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--host", "a", "--host", "a"], 2, "named twice"),
        (
            ["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--host", "a", "--ssh-config", "none"],
            2,
            "no such ssh configuration",
        ),
        (["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--host", "a", "--budget", "soon"], 2, "not a duration"),
        (["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--energy", "rapll"], 2, "did you mean 'rapl'"),
        (["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--energy", "log:none.csv"], 3, "none.csv cannot be read"),
        (["profile", "--out", "p.jsonl", "--space", "mobilenet-small", "--host", "a", "--energy", "log:m.csv"], 2, "whole path"),
        (["profile", "--out", "p.jsonl", "--host", "a", "--space", "s", "--onnx", "f"], 2, "either --space NAME or --onnx FILE"),
    ],
)
def test_wrong_input_is_one_line(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    returned, out, err = cli(*arguments)
    assert returned == code, err
    assert words in err
    assert len([line for line in err.splitlines() if line.startswith("hwnas: ")]) == 1
    assert "Traceback" not in err + out


def test_help_names_every_meter(cli: Any) -> None:
    from device_profiles.energy.find import METERS

    code, text, _ = cli("profile", "--help")
    assert code == 0
    for name in (*METERS, "auto", "none", "log:FILE"):
        assert name in text


def test_host_that_is_not_there(cli: Any, model: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host board\nHostName 127.0.0.1\nPort 1\n")
    code, out, err = cli("profile", "--onnx", model, "--host", "board", "--ssh-config", config, "--out", tmp_path / "p.jsonl", "--json")
    assert code == 3, err
    assert "board: " in json.loads(out)["hosts"][0]["error"]
