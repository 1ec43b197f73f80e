from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.operators import Tensor
from device_profiles.plan import WholeNetwork, make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess
from device_profiles.seal import seal
from hwnas.cli.trust import again_command


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trust") / "p.jsonl"
    net = NetworkBuilder("n", {"x": Tensor((1, 16, 16, 16))})
    model = onnx_io.network_model(net.build(net.activation("r", net.conv("b", net.conv("a", "x", 32, 3), 32, 1))))
    with RuntimeProcess("onnxruntime", 1) as runtime:
        whole = WholeNetwork("mobilenet/0.0/1x16x16", model, runtime.executed_graph(model))
        settings = Protocol(block_ms=1.0, min_rounds=6, max_rounds=12, prelude_rounds=6, quiet=0.0)
        Campaign(make_plan([whole.executed], [whole]), path, runtime, settings=settings).run()
    return path


def rewritten(path: Path, to: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    first, rest = path.read_bytes().split(b"\n", 1)
    header = json.loads(first)
    change(header)
    to.write_bytes(seal(header) + rest)
    return to


def test_a_profile_of_this_machine_is_judged(measured: Path, cli: Any) -> None:
    code, out, err = cli("check", measured, "--budget", "6s", "--json")
    found = json.loads(out)
    assert found["verdict"] in ("holds", "changed", "undecided"), err
    assert code == (0 if found["verdict"] == "holds" else 1)
    assert bool(found["reasons"]) == (found["verdict"] != "holds")
    assert (found["command"] is None) == (found["verdict"] == "holds")
    assert found["differences"] == []
    assert found["seconds"] < 60
    assert found["ratio"]["low"] < found["ratio"]["value"] < found["ratio"]["high"]
    assert found["canaries"]["origin"] == "measured"
    assert sum(kind["operators"] for kind in found["kinds"]) == len(DeviceProfile.read(measured).operators())


def test_text_names_kinds_and_the_other_version(measured: Path, cli: Any, tmp_path: Path) -> None:
    path = rewritten(measured, tmp_path / "p.jsonl", lambda header: header["runtime"].update(version="0.1"))
    code, out, _ = cli("check", path, "--budget", "6s")
    assert code in (0, 1)
    assert "was 0.1 in the profile" in out
    assert "canaries" in out
    assert "Conv" in out
    assert ("to measure again: hwnas profile" in out) == ("changed" in out.splitlines()[0])


def test_the_command_that_measures_again_is_one_that_works(measured: Path) -> None:
    words = shlex.split(again_command(DeviceProfile.read(measured), measured))
    assert words[:8] == ["hwnas", "profile", "--space", "mobilenet-small", "--channels", "1", "--resolution", "16"]
    assert words[-2:] == ["--out", str(measured.with_name("p.new.jsonl"))]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header: header["device"].update(cpu="Another 9000"), "Another 9000"),
        (lambda header: header["runtime"].update(name="onnxruntim"), "did you mean 'onnxruntime'"),
        (lambda header: header["runtime"].update(name=None), "unknown runtime"),
        (lambda header: header["runtime"].update(threads="many"), "no number of threads"),
        (lambda header: header["runtime"].update(threads=10**9), "no number of threads"),
    ],
)
def test_another_device_is_refused(measured: Path, cli: Any, tmp_path: Path, change: Any, words: str) -> None:
    code, out, err = cli("check", rewritten(measured, tmp_path / "p.jsonl", change), "--budget", "6s")
    assert (code, out) == (2, "")
    assert words in err
    assert len([line for line in err.splitlines() if line.startswith("hwnas: ")]) == 1


def test_what_is_no_profile_is_refused(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader\n")
    for arguments, words in {
        ("letter.txt",): "line 1",
        ("none.jsonl",): "No such file",
        ("letter.txt", "--budget", "soon"): "line 1",
    }.items():
        code, _, err = cli("check", tmp_path / arguments[0], *arguments[1:])
        assert code == 2
        assert words in err
