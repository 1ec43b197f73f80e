from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import InputError
from device_profiles.importers.published import FORMATS, detect, published_costs, read_published
from device_profiles.profile import DeviceProfile

KERNEL = {
    "cat": "Node", "name": "r_kernel_time", "dur": 5,
    "args": {"op_name": "Relu", "provider": "P", "input_type_shape": [{"float": [1, 4]}], "output_type_shape": [{"float": [1, 4]}]},
}  # fmt: skip
OFA = {
    "Conv-input:32x32x3-output:16x16x16": {"mean": 1.2, "count": 50, "std": 0.1},
    "Logits-input:7x7x4-output:10": {"mean": 0.5, "std": 0},
}
BENCH = {
    "nasbench201": {"cifar10": {"pi_latency": [1.0, 2.0], "config": [{"arch_str": "a"}, {"arch_str": "b"}]}},
    "fbnet": {"pi_latency": {"FC_Cin4_Cout10": 0.25}},
}


def written(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content) if path.suffix == ".pickle" else json.dumps(content).encode())
    return path


FILES: list[tuple[str, str, Any, dict[str, dict[str, float]]]] = [
    (
        "hwnasbench", "b.pickle", BENCH,
        {"nasbench201/cifar10/0": {"pi.latency_ms": 1.0}, "nasbench201/cifar10/1": {"pi.latency_ms": 2.0},
         "fbnet/pi/FC_Cin4_Cout10": {"pi.latency_ms": 0.25}},
    ),
    ("ofa", "t.json", OFA, {key: {"latency_ms": entry["mean"]} for key, entry in OFA.items()}),
    ("fbnet", "f.json", {"ir_k3": {"16-112": 1250}}, {"ir_k3/16-112": {"latency_ms": 1.25}}),
    ("onnxruntime", "o.json", [KERNEL, KERNEL], {}),
]  # fmt: skip


@pytest.mark.parametrize(("form", "name", "content", "costs"), FILES, ids=[row[0] for row in FILES])
def test_every_format_is_found_out_kept_and_read_back(
    tmp_path: Path, form: str, name: str, content: Any, costs: dict[str, dict[str, float]]
) -> None:
    path, out = written(tmp_path / name, content), tmp_path / "p.jsonl"
    assert detect(path) == form
    read_published(path).write(out)
    profile = DeviceProfile.read(out)
    found = published_costs(profile)
    assert {key: {cost: quantity.value for cost, quantity in entry.items()} for key, entry in found.items()} == costs
    assert all(quantity.origin == "published" for entry in found.values() for quantity in entry.values())
    assert bool(profile.operators()) == (form == "onnxruntime")
    assert not profile.failures()
    with pytest.raises(InputError, match="published, not measured"):
        profile.refuse_functional()


def test_every_format_has_a_file_here() -> None:
    assert {row[0] for row in FILES} == set(FORMATS)


def test_details_and_the_device_are_kept(tmp_path: Path) -> None:
    profile = read_published(written(tmp_path / "pixel.json", OFA), device="Pixel 1")
    assert profile.header["device"]["cpu"] == "Pixel 1"
    assert profile.lines[0]["details"]["input"] == [32, 32, 3]
    low_high = published_costs(profile)["Conv-input:32x32x3-output:16x16x16"]["latency_ms"]
    assert low_high.low < 1.2 < low_high.high


def test_the_published_samples(hwnasbench_samples: dict[str, Any], tmp_path: Path) -> None:
    rows = [row for row in hwnasbench_samples["nasbench201"] if row["dataset"] == "cifar10"]
    names = [name for name in rows[0] if name not in ("arch", "dataset")]
    table = {name: [row[name] for row in sorted(rows, key=lambda row: row["arch"])] for name in names}
    costs = published_costs(read_published(written(tmp_path / "b.pickle", {"nasbench201": {"cifar10": table}})))
    for row in rows:
        assert costs[f"nasbench201/cifar10/{row['arch']}"]["raspi4.latency_ms"].value == row["raspi4_latency"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.json", {}, "none of the formats"),
        ("t.json", {"a": "b"}, "none of the formats"),
        ("t.json", 3, "none of the formats"),
        ("t.json", {"a": {}}, "no entries"),
        ("t.json", [], "not a profile of onnxruntime"),
        ("t.pickle", [1], "no table called"),
    ],
)
def test_other_files_are_one_line(tmp_path: Path, name: str, content: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_published(written(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_a_wrong_format_and_a_missing_file(tmp_path: Path) -> None:
    path = written(tmp_path / "t.json", OFA)
    with pytest.raises(InputError, match="did you mean 'ofa'"):
        read_published(path, "ofaa")
    with pytest.raises(InputError, match="not a plain pickle"):
        read_published(path, "hwnasbench")
    with pytest.raises(InputError, match="No such file"):
        read_published(tmp_path / "none.json")


@pytest.mark.parametrize("cost", [{"value": -1.0, "low": -1.0, "high": 0.0, "origin": "published"}, {"value": 1.0, "low": 1.0, "high": 1.0,
                                                                                                 "origin": "measured"}])  # fmt: skip
def test_a_line_that_nobody_published_is_refused(tmp_path: Path, cost: dict[str, Any]) -> None:
    profile = read_published(written(tmp_path / "t.json", OFA))
    profile.lines[0]["costs"]["latency_ms"] = cost
    profile.write(tmp_path / "p.jsonl")
    with pytest.raises(InputError, match="published costs must be"):
        DeviceProfile.read(tmp_path / "p.jsonl")
