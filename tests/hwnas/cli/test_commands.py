"""The command line as a user meets it: each command once on real input, then what it says to wrong input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from hwnas.run import Run

LIGHT = Path(onnxruntime.__file__).parents[1] / "onnx" / "backend" / "test" / "data" / "light"


def one_line(text: str) -> bool:
    return len([line for line in text.strip().splitlines() if line.startswith("hwnas: ")]) == 1 and "Traceback" not in text


def test_predict_prices_a_model_it_has_never_seen(walk: Any, cli: Any) -> None:
    model = LIGHT / "light_squeezenet.onnx"
    code, out, err = cli("predict", model, "--device", walk.device, "--explain", "--json")
    assert code == 0, err
    result = json.loads(out)
    latency = result["latency_ms"]
    assert 0 < latency["low"] < latency["value"] < latency["high"]
    assert latency["origin"] == "predicted"
    assert sum(row["latency_ms"] for row in result["operators"]) == pytest.approx(latency["value"], rel=1e-9)
    assert all(row["latency_ms"] > 0 for row in result["operators"][1:])
    code, out, _ = cli("predict", model, "--device", walk.device, "--explain")
    assert code == 0
    assert "90 % interval" in out
    assert "100.0%" in out.splitlines()[-1]


def test_search_leaves_a_run_that_says_what_it_is(walk: Any) -> None:
    run = Run.open(walk.run)
    assert sum(run.counts().values()) == 12
    assert {"front.csv", "front.json", "run.sqlite"} <= {p.name for p in walk.run.iterdir()}
    front = json.loads((walk.run / "front.json").read_text())
    for point in front["points"]:
        assert {"test_accuracy", "macs", "params"} <= set(point["extras"])
        assert point["latency_ms"]["origin"] == "predicted"
    assert run.spec["seed"] == 3
    assert run.spec["data"]["sha256"]


def test_verify_export_report(walk: Any, cli: Any, tmp_path: Path) -> None:
    code, out, err = cli("verify", walk.run, "--budget", "4s", "--json")
    verdict = json.loads(out)
    assert code == (0 if verdict["verdict"] == "pass" else 1), err
    assert (verdict["verdict"] == "pass") == (not verdict["reasons"])
    roles = [point["role"] for point in verdict["points"]]
    assert roles.count("front") == len(Run.open(walk.run).front())
    for point in verdict["points"]:
        error = point["predicted_ms"]["value"] / point["measured_ms"]["value"] - 1
        assert point["error"] == pytest.approx(error)
    target = tmp_path / "models" / "best.onnx"
    code, out, err = cli("export", walk.run, "--pick", "best", "--out", target, "--json")
    assert code == 0, err
    assert json.loads(out)["max_difference"] < 1e-4
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    assert session.run(None, {"input": np.zeros((1, 1, 16, 16), np.float32)})[0].shape == (1, 3)
    code, out, err = cli("report", walk.run, "--out", tmp_path / "r.html")
    assert code == 0, err
    assert "plotly" in (tmp_path / "r.html").read_text()[:6_000_000].lower()


def test_the_same_search_again_is_the_same_search(walk: Any, tmp_path: Path) -> None:
    def rows(folder: Path, hash_seed: str) -> list[Any]:
        command = [sys.executable, "-c", "from hwnas.cli import main; main()", "search", "--supernet", walk.supernet]
        command += ["--device", walk.device, "--evaluations", "12", "--seed", "3", "--out", folder]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
        return [(r.architecture, r.estimates, r.status) for r in Run.open(folder).rows()]

    first = [(r.architecture, r.estimates, r.status) for r in Run.open(walk.run).rows()]
    assert rows(tmp_path / "a", "1") == first
    assert rows(tmp_path / "b", "2") == first


def test_profile_of_files_and_lists(cli: Any, tmp_path: Path) -> None:
    model = LIGHT / "light_squeezenet.onnx"
    code, out, err = cli("profile", "--onnx", model, "--budget", "8s", "--out", tmp_path / "p.jsonl", "--json")
    assert code == 0, err
    assert json.loads(out)["measured"] > 5
    for command in ("devices", "spaces", "algorithms"):
        code, out, err = cli(command, "--json")
        assert code == 0, err
        assert json.loads(out)
        assert cli(command)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "missing.onnx", "--device", "DEVICE"), "missing.onnx"),
        (("predict", "TEXT", "--device", "DEVICE"), "not"),
        (("predict", "EMPTY", "--device", "DEVICE"), "empty"),
        (("predict", "TEXT", "--device", "TEXT"), "TEXT"),
        (("predict", "TEXT", "--device", "none.json"), "none.json"),
        (("fit", "none.jsonl", "--out", "OUT"), "none.jsonl"),
        (("fit", "TEXT", "--out", "OUT"), "line 1"),
        (("profile", "--space", "mobilnet-small", "--out", "OUT"), "did you mean 'mobilenet-small'"),
        (("profile", "--out", "OUT", "--space", "mobilenet-small", "--onnx", "a.onnx"), "--space NAME or --onnx FILE"),
        (("profile", "--space", "mobilenet-small", "--budget", "soon", "--out", "OUT"), "90s"),
        (("profile", "--space", "mobilenet-small", "--runtime", "onnxruntim", "--out", "OUT"), "did you mean 'onnxruntime'"),
        (("profile", "--onnx", "TEXT", "--out", "OUT"), "TEXT"),
        (("train", "--space", "mobilenet-small", "--data", "digit"), "did you mean 'digits'"),
        (("train", "--space", "mobilenet-small", "--data", "NAN", "--out", "OUT"), "NaN"),
        (("train", "--space", "mobilenet-small", "--data", "ONECLASS", "--out", "OUT"), "class"),
        (("train", "--space", "mobilenet-small", "--data", "digits", "--strategy", "sandwhich", "--out", "OUT"), "did you mean 'sandwich'"),
        (("search", "--supernet", "SUPERNET", "--device", "DEVICE", "--objectives", "acuracy", "--out", "OUT"), "did you mean 'accuracy'"),
        (("search", "--supernet", "SUPERNET", "--device", "DEVICE", "--algorithm", "nsga2x", "--out", "OUT"), "did you mean 'nsga2'"),
        (
            ("search", "--supernet", "SUPERNET", "--device", "DEVICE", "--constraint", "latency_ms<=1e-6", "--out", "OUT"),
            "smallest latency_ms",
        ),
        (("search", "--supernet", "SUPERNET", "--device", "DEVICE", "--constraint", "fast", "--out", "OUT"), "NAME <= NUMBER"),
        (("search", "--supernet", "nowhere", "--device", "DEVICE", "--out", "OUT"), "nowhere"),
        (("search", "--supernet", "SUPERNET", "--device", "DEVICE", "--out", "RUN"), "--resume"),
        (("verify", "nowhere"), "nowhere"),
        (("export", "RUN", "--pick", "kneee", "--out", "OUT"), "did you mean 'knee'"),
        (("export", "RUN", "--pick", "999", "--out", "OUT"), "points 0 to"),
        (("export", "RUN", "--out", "TEXT/x.onnx"), "TEXT"),
        (("report", "nowhere"), "nowhere"),
        (("predictt",), "predictt"),
        (("predict", "--wrong"), "--wrong"),
    ],
    ids=lambda value: "-".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_wrong_input_is_one_line_and_exit_code_2(walk: Any, cli: Any, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "TEXT").write_text("this is a letter, not a model\n")
    (tmp_path / "EMPTY").write_bytes(b"")
    labels = np.arange(60) % 3
    np.savez(tmp_path / "NAN.npz", images=np.full((60, 16, 16), np.nan, np.float32), labels=labels)
    np.savez(tmp_path / "ONECLASS.npz", images=np.zeros((60, 16, 16), np.uint8), labels=labels * 0)
    places = {
        "DEVICE": walk.device, "SUPERNET": walk.supernet, "RUN": walk.run, "OUT": tmp_path / "out", "NAN": tmp_path / "NAN.npz",
        "ONECLASS": tmp_path / "ONECLASS.npz",
        "TEXT": tmp_path / "TEXT", "EMPTY": tmp_path / "EMPTY", "TEXT/x.onnx": tmp_path / "TEXT" / "x.onnx",
    }  # fmt: skip
    before = (walk.run / "run.sqlite").read_bytes()
    code, out, err = cli(*[places.get(argument, argument) for argument in arguments])
    assert code == 2, (out, err)
    assert one_line(err), err
    assert words in err
    assert (walk.run / "run.sqlite").read_bytes() == before


def test_ctrl_c_while_measuring_loses_nothing(tmp_path: Path) -> None:
    profile = tmp_path / "p.jsonl"
    journal = profile.with_name("p.jsonl.journal")
    command = [sys.executable, "-c", "from hwnas.cli import main; main()", "profile", "--space", "mobilenet-small", "--resolution", "16"]
    child = subprocess.Popen([*command, "--out", str(profile)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    start = time.monotonic()
    while time.monotonic() - start < 90 and not (journal.exists() and journal.stat().st_size > 5000):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert journal.stat().st_size > 5000
