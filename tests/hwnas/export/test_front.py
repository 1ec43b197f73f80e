"""Export from a run, as `hwnas export` does it: files, metadata, the program beside them, 8-bit integers with their costs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from device_profiles.errors import InputError
from hwnas.export import export_front, metadata
from hwnas.finish import accuracy_of
from hwnas.run import Run

#: Runs a program in which nothing can be imported but numpy, onnxruntime and what Python brings.
ALONE = """
import importlib.abc, runpy, sys
class Closed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("onnx", "torch", "PIL", "hwnas", "predictors", "device_profiles", "scipy", "sklearn", "pandas"):
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Closed())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def run(walk: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the walk, so that models and extras stay out of the others' way."""
    folder = tmp_path_factory.mktemp("export") / "walk"
    shutil.copytree(walk.folder, folder)
    return Run.open(folder / "run")


@pytest.fixture(scope="module")
def written(run: Run, cli: Any) -> dict[str, Any]:
    """What `hwnas export --int8` says about the best point."""
    code, out, err = cli("export", run.path, "--pick", "best", "--int8", "--budget", "8s", "--json")
    assert code == 0, err
    return dict(json.loads(out))


def test_the_whole_front_is_written_with_a_program_each(run: Run, tmp_path: Path) -> None:
    found = export_front(run, None, tmp_path / "all")
    assert [each.model.architecture for each in found] == [point.architecture for point in run.front()]
    names = {path.name for path in (tmp_path / "all").iterdir()}
    assert names == {name for each in found for name in (each.model.path.name, each.program.name)}
    assert all(each.model.max_difference <= 1e-4 and each.model.images >= 100 for each in found)


def test_the_file_says_where_it_comes_from_and_what_it_costs(run: Run, written: dict[str, Any]) -> None:
    facts = metadata.read(Path(written["path"]))
    point = next(p for p in run.front() if p.architecture == tuple(written["architecture"]))
    assert facts["classes"] == ["neither", "top", "left"]
    origin = facts["provenance"]
    assert (origin["run"], origin["seed"], origin["evaluations"]) == ("run", 3, 12)
    assert origin["objectives"]["latency_ms"] == point.objectives["latency_ms"].to_json()
    assert origin["objectives"]["latency_ms"]["low"] < origin["objectives"]["latency_ms"]["high"]
    assert origin["device"] == run.spec["device"]["name"]
    assert origin["learned"]["test_accuracy"]["origin"] == "measured"
    assert str(run.path).encode() not in Path(written["path"]).read_bytes()


def test_the_program_runs_with_onnxruntime_and_numpy_alone(run: Run, written: dict[str, Any], tmp_path: Path) -> None:
    image = accuracy_of(run).dataset.test.images[0]
    np.save(tmp_path / "image.npy", image.transpose(1, 2, 0))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for path in (written["path"], written["program"], written["int8"]["path"]):
        shutil.copy(path, folder)
    program, model = folder / Path(written["program"]).name, folder / Path(written["path"]).name
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"input": image[None].astype(np.float32) / 255})[0][0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    for given in ([], [folder / Path(written["int8"]["path"]).name]):
        command = [sys.executable, "-I", "-c", ALONE, program, tmp_path / "image.npy", *given]
        said = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, check=True).stdout
        lines = dict(reversed(line.split("  ")[-2:]) for line in said.splitlines())
        assert set(lines) == {"neither", "top", "left"}
        shares = [float(lines[name].strip().rstrip("%")) / 100 for name in ("neither", "top", "left")]
        assert shares == pytest.approx(expected.tolist(), abs=1e-4 if not given else 0.2)


def test_int8_is_judged_and_measured_beside_the_original(run: Run, written: dict[str, Any]) -> None:
    int8 = written["int8"]
    assert int8["measured_on"] == run.spec["device"]["name"]
    assert set(int8["accuracy"]) == {"validation", "test"}
    for scores in int8["accuracy"].values():
        assert scores["change"]["value"] == pytest.approx(scores["after"]["value"] - scores["before"]["value"])
        assert scores["change"]["low"] <= scores["change"]["value"] <= scores["change"]["high"]
    for costs in (int8["before"], int8["after"]):
        assert costs["latency_ms"]["origin"] == "measured"
        assert 0 < costs["latency_ms"]["low"] <= costs["latency_ms"]["value"]
    extras = run.extras()[tuple(written["architecture"])]
    assert extras["int8_test_accuracy"].value == int8["accuracy"]["test"]["after"]["value"]
    assert extras["int8_latency_ms"].to_json() == int8["after"]["latency_ms"]
    columns = run.front().columns()
    assert "int8_latency_ms_low" in columns


def test_the_int8_file_is_one_and_says_so(written: dict[str, Any]) -> None:
    model = onnx.load(written["int8"]["path"])
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(kinds)
    assert model.ir_version == 10
    weights = [c for c in model.graph.initializer if c.data_type == onnx.TensorProto.INT8 and len(c.dims) == 4]
    assert len(weights) == kinds.count("Conv")
    facts, plain = metadata.read(Path(written["int8"]["path"])), metadata.read(Path(written["path"]))
    assert {key: facts[key] for key in plain} == plain
    assert facts["int8"]["from_sha256"] == written["sha256"]
    assert facts["int8"]["calibrated_on"].endswith("training images of images")


def test_the_same_export_again_measures_nothing_twice(run: Run, cli: Any, written: dict[str, Any]) -> None:
    profile = run.path / "models" / "int8.jsonl"
    before = [line for line in profile.read_text().splitlines() if '"network"' in line]
    code, out, err = cli("export", run.path, "--pick", "best", "--int8", "--budget", "8s", "--json")
    assert code == 0, err
    again = json.loads(out)
    assert again["sha256"] == written["sha256"]
    assert again["int8"]["after"]["latency_ms"] == written["int8"]["after"]["latency_ms"]
    assert [line for line in profile.read_text().splitlines() if '"network"' in line] == before


def test_another_device_is_named_and_nothing_is_measured(run: Run, tmp_path: Path, cli: Any) -> None:
    from hwnas.storage import Writer

    copy = tmp_path / "walk"
    shutil.copytree(run.path.parent, copy)
    other = Run.open(copy / "run")
    device = other.spec["device"]
    with Writer(other.database) as writer:
        writer.set_spec(device={**device, "device": {**device["device"], "cpu": "Cortex-A76"}})
    code, out, err = cli("export", other.path, "--pick", "0", "--int8", "--out", tmp_path / "net.onnx")
    assert code == 0, err
    assert "not measured: this is not the device of the run" in out
    assert "test accuracy" in out
    assert not list(tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--all", "--pick", "best"), "--all writes every point"),
        (("--calibration", "x.npz"), "add --int8"),
        (("--int8", "--calibration", "WRONG"), "calibration images are 1 x 9 x 9"),
        (("--int8", "--calibration", "FEW"), "2 images are too few"),
        (("--all", "--out", "net.onnx"), "give a folder"),
    ],
)
def test_wrong_input_writes_nothing(run: Run, cli: Any, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    np.savez(tmp_path / "WRONG.npz", images=np.zeros((40, 9, 9), np.uint8))
    np.savez(tmp_path / "FEW.npz", images=np.zeros((2, 16, 16), np.uint8))
    before = sorted(run.path.rglob("*"))
    given = [tmp_path / f"{a}.npz" if a in ("WRONG", "FEW") else a for a in arguments]
    code, _, err = cli("export", run.path, *given)
    assert code == 2
    assert words in err
    assert sorted(run.path.rglob("*")) == before


def test_a_search_that_has_not_ended_is_named_and_exported_as_it_is(run: Run, tmp_path: Path, cli: Any) -> None:
    from hwnas.storage import Writer

    copy = tmp_path / "walk"
    shutil.copytree(run.path.parent, copy)
    with Writer(copy / "run" / "run.sqlite") as writer:
        writer.set_spec(evaluations=40, stopped=None)
    code, out, err = cli("export", copy / "run", "--out", tmp_path / "net.onnx", "--json")
    assert code == 0, err
    assert "has not ended, 12 of 40 evaluations so far" in err
    assert Path(json.loads(out)["path"]).exists()


def test_several_picks_do_not_fit_into_one_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give a folder"):
        export_front(run, ["best", "fastest"], tmp_path / "net.onnx")
