"""`hwnas search` for several devices, and the report of one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.cli.several import chosen, named, objectives_of
from hwnas.objectives import Objective
from hwnas.run import Run


def test_devices_are_called_as_told_or_after_their_files() -> None:
    assert named(["pi.json"]) == {"": "pi.json"}
    assert named(["a/pi-4.json", "x=b/xeon.json", "xeon-6/onnxruntime/1t"]) == {
        "pi_4": "a/pi-4.json", "x": "b/xeon.json", "xeon_6_onnxruntime_1t": "xeon-6/onnxruntime/1t",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a/pi.json", "b/pi.json"], "two devices are called pi: tell them apart, such as --device pi=FILE --device pi2=FILE"),
        (["pi=a.json", "pi=b.json"], "two devices are called pi"),
        (["pi=a.json", "PI=b.json"], "differ by more than capitals"),
        (["a.json", "9.json"], "give the device 9.json a name, such as --device pi=9.json"),
        (["worst=a.json", "b.json"], "a device cannot be called worst"),
        (["my board=a.json", "b.json"], "a device is called by at most 31 letters"),
    ],
)
def test_names_that_do_not_work_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        named(texts)


def cost(name: str, unit: str) -> Objective:
    return Objective(name, unit, "min", False, lambda archs: np.ones(len(archs)))


def test_a_quantity_stands_for_every_device_and_the_worst() -> None:
    latency, energy = cost("latency_ms", "ms"), cost("energy_mj", "mJ")
    known = objectives_of({"latency_ms": {"a": latency, "b": latency}, "energy_mj": {"a": energy}}, ["a", "b"])
    assert sorted(known) == ["a_energy_mj", "a_latency_ms", "b_latency_ms", "latency_ms", "worst_latency_ms", "worst_latency_share"]
    assert [o.name for o in chosen(["latency_ms", "a_energy_mj"], known)] == [
        "a_latency_ms", "b_latency_ms", "worst_latency_ms", "a_energy_mj",
    ]  # fmt: skip
    assert [o.name for o in chosen(["worst_latency_ms", "latency_ms"], known)] == ["worst_latency_ms", "a_latency_ms", "b_latency_ms"]
    with pytest.raises(InputError, match="unknown objective 'c_latency_ms': did you mean"):
        chosen(["c_latency_ms"], known)
    with pytest.raises(InputError, match="objective latency_ms is given twice"):
        chosen(["latency_ms", "latency_ms"], known)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Cells of six edges in the layout of NAS-Bench-201, with the costs of two devices."""
    rng = np.random.default_rng(0)
    archs = np.unique(rng.integers(0, 3, (60, 6)), axis=0)
    path = tmp_path / "table.npz"
    np.savez(
        path, ops=np.array(["none", "skip_connect", "nor_conv_3x3"]), arch_ops=archs, acc_datasets=np.array(["digits"]),
        test_acc=50 + 3 * archs.sum(axis=1, keepdims=True) + 2 * rng.random((len(archs), 1)), devices=np.array(["pi", "edge-gpu"]),
        latency_ms=np.column_stack([2 + 3 * archs[:, :3].sum(axis=1), 1 + 2 * archs[:, 3:].sum(axis=1)]) + rng.random((len(archs), 2)),
    )  # fmt: skip
    return path


def test_a_table_is_searched_for_two_of_its_devices_and_reported(table: Path, tmp_path: Path, cli: Any) -> None:
    devices = ("--device", "pi", "--device", "gpu=edge-gpu")
    arguments = ("search", "--table", table, *devices, "--constraint", "gpu_latency_ms<=11", "--algorithm", "auto", "--seed", 0)
    code, out, err = cli(*arguments, "--evaluations", 12, "--out", tmp_path / "run", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert list(found["fronts"]) == ["pi", "gpu", "worst"]
    run = Run.open(tmp_path / "run")
    assert run.names() == ["accuracy", "pi_latency_ms", "gpu_latency_ms", "worst_latency_ms"]
    assert run.spec["columns"]["device"] == {"pi": "pi", "gpu": "edge-gpu"}
    rows = run.evaluations()
    np.testing.assert_array_equal(rows["worst_latency_ms"], np.maximum(rows["pi_latency_ms"], rows["gpu_latency_ms"]))
    code, out, err = cli(*arguments, "--evaluations", 20, "--out", tmp_path / "run", "--resume")
    assert code == 0, err
    assert "front on the worst device:" in out
    assert len(Run.open(tmp_path / "run").rows()) == 20
    code, out, err = cli("report", tmp_path / "run", "--cost", "gpu_latency_ms")
    assert code == 0, err
    assert (tmp_path / "run" / "report-gpu_latency_ms.html").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--device", "pi", "--device", "edgegpu"), "unknown device of table 'edgegpu': did you mean 'edge-gpu'"),
        (("--device", "pi", "--device", "pi"), "two devices are called pi"),
        (("--device", "pi", "--device", "edge-gpu", "--objectives", "accuracy,tpu_latency_ms"), "unknown objective 'tpu_latency_ms'"),
        (("--device", "pi", "--device", "edge-gpu", "--constraint", "latency_ms<=3"), "unknown objective in a constraint 'latency_ms'"),
    ],
    ids=["unknown", "twice", "objective", "constraint"],
)
def test_wrong_input_is_one_line(table: Path, tmp_path: Path, cli: Any, more: tuple[str, ...], message: str) -> None:
    code, _, err = cli("search", "--table", table, "--out", tmp_path / "run", "--seed", 0, *more)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_a_super_network_is_searched_for_two_devices(walk: Any, tmp_path: Path, cli: Any) -> None:
    """The same predictor under two names: two fronts that are equal, and equal to that of the worst."""
    arguments = ("search", "--supernet", walk.supernet, "--device", f"pi={walk.device}", "--device", f"desk={walk.device}", "--seed", 3)
    code, out, err = cli(*arguments, "--evaluations", 12, "--out", tmp_path / "run", "--json")
    assert code == 0, err
    fronts = json.loads(out)["fronts"]
    assert [p["architecture"] for p in fronts["pi"]["points"]] == [p["architecture"] for p in fronts["worst"]["points"]]
    spec = Run.open(tmp_path / "run").spec
    assert list(spec["devices"]) == ["desk", "pi"] or list(spec["devices"]) == ["pi", "desk"]
    assert spec["devices"]["pi"]["name"] == spec["devices"]["desk"]["name"]
    assert "fronts" in json.loads((tmp_path / "run" / "front.json").read_text())
    code, _, err = cli("verify", tmp_path / "run")
    assert code == 2
    assert "was searched for" in err
    code, out, err = cli("verify", tmp_path / "run", "--device", "desk", "--budget", "3s", "--iterations", 1, "--json")
    assert code in (0, 1), err
    verified = {tuple(p["architecture"]) for p in json.loads(out)["points"] if p["role"] == "front"}
    assert verified == {tuple(p["architecture"]) for p in fronts["desk"]["points"]}
    code, out, err = cli("report", tmp_path / "run" / "devices" / "desk", "--out", tmp_path / "desk.html")
    assert code == 0, err
    assert "Predicted against measured" in (tmp_path / "desk.html").read_text()
    code, out, err = cli("report", tmp_path / "run", "--out", tmp_path / "r.html")
    assert code == 0, err
    code, out, err = cli(
        "search",
        "--supernet",
        walk.supernet,
        "--device",
        walk.device,
        "--algorithm",
        "differentiable",
        "--evaluations",
        4,
        "--out",
        tmp_path / "grad",
        "--json",
    )
    assert code == 0, err
    assert json.loads(out)["counts"]["ok"] == 4


def test_a_table_without_devices_says_so(tmp_path: Path, cli: Any) -> None:
    (tmp_path / "t.csv").write_text("depth,accuracy,latency_ms\n1,0.5,2\n2,0.6,3\n")
    code, _, err = cli("search", "--table", tmp_path / "t.csv", "--out", tmp_path / "run", "--device", "pi", "--device", "gpu")
    assert code == 2
    assert "t says of no device what it costs there" in err
