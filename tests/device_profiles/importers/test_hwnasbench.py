from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import InputError
from device_profiles.importers.hwnasbench import read_hwnasbench


def fbnet(metrics: Any) -> dict[str, Any]:
    return {"nasbench201": {"cifar10": {"pi_latency": [1.0]}}, "fbnet": metrics}


def written(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def test_the_published_samples_come_back_with_units_and_origin(hwnasbench_samples: dict[str, Any], tmp_path: Path) -> None:
    rows = hwnasbench_samples["nasbench201"]
    datasets: dict[str, dict[str, list[float]]] = {}
    for row in sorted(rows, key=lambda row: row["arch"]):
        table = datasets.setdefault(row["dataset"], {})
        for name, value in row.items():
            if name not in ("arch", "dataset"):
                table.setdefault(name, []).append(value)
    found = read_hwnasbench(written(tmp_path / "HW-NAS-Bench-v1_0.pickle", {"nasbench201": datasets, "fbnet": {}}))
    assert set(found) == {"nasbench201/cifar10", "nasbench201/cifar100", "nasbench201/ImageNet16-120"}
    compared = 0
    for row in rows:
        table = found[f"nasbench201/{row['dataset']}"]
        for name, value in row.items():
            if name.endswith("_latency"):
                quantity = table.quantity(str(row["arch"]), f"{name.removesuffix('_latency')}.latency_ms")
                assert (quantity.value, quantity.origin) == (value, "published")
                compared += 1
            elif name.endswith("_energy"):
                assert table.quantity(str(row["arch"]), f"{name.removesuffix('_energy')}.energy_mj").value == value
                compared += 1
    assert compared >= 80
    assert not any(column.spread for column in found["nasbench201/cifar10"].columns.values())


def test_configurations_are_kept(tmp_path: Path) -> None:
    config = [{"arch_str": "|a~0|", "C": 16}, {"arch_str": "|b~0|", "C": 16}]
    content = {"nasbench201": {"cifar10": {"config": config, "pi_latency": [1.0, 2.0]}}}
    table = read_hwnasbench(written(tmp_path / "b.pickle", content))["nasbench201/cifar10"]
    assert [entry["arch_str"] for entry in table.details] == ["|a~0|", "|b~0|"]
    assert list(table) == ["0", "1"]
    with pytest.raises(InputError, match=r"did you mean 'pi\.latency_ms'"):
        table.quantity("0", "pi.latency")
    with pytest.raises(InputError, match="no entry '7'"):
        table.quantity("7", "pi.latency_ms")


def test_blocks_of_fbnet_by_device(tmp_path: Path) -> None:
    """A network costs what its blocks cost together: the layout that the published query function sums over."""
    blocks = {
        "ConvNorm_H224_W224_Cin3_Cout16_kernel3_stride2_group1": 2.0,
        "Skip_H112_W112_Cin16_Cout16_stride1": 0,
        "FC_Cin1984_Cout1000": 1.5,
    }
    content = {
        "nasbench201": {"cifar10": {"pi_latency": [1.0]}},
        "fbnet": {"raspi4_latency": blocks, "edgegpu_latency": {"FC_Cin1984_Cout1000": 0.5}, "edgegpu_energy": {"FC_Cin1984_Cout1000": 3}},
    }
    found = read_hwnasbench(written(tmp_path / "b.pickle", content))
    assert set(found) == {"nasbench201/cifar10", "fbnet/raspi4", "fbnet/edgegpu"}
    pi, gpu = found["fbnet/raspi4"], found["fbnet/edgegpu"]
    assert sum(pi.quantity(block, "raspi4.latency_ms").value for block in pi) == 3.5
    assert (gpu.quantity("FC_Cin1984_Cout1000", "edgegpu.energy_mj").value, len(gpu)) == (3.0, 1)
    assert pi.details[2] == {"block": "FC", "Cin": 1984, "Cout": 1000}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1], "no table called"),
        ({"nasbench201": {}}, "no table called"),
        ({"nasbench201": {"cifar10": [1]}}, "no table of metrics"),
        ({"nasbench201": {"cifar10": {}}}, "no metrics"),
        ({"nasbench201": {"cifar10": {"pi_speed": [1.0]}}}, "unit of 'pi_speed'"),
        ({"nasbench201": {"cifar10": {"pi_latency": 1.0}}}, "no list"),
        ({"nasbench201": {"cifar10": {"pi_latency": ["1"]}}}, "a number is wanted"),
        ({"nasbench201": {"cifar10": {"pi_latency": [float("nan")]}}}, "finite"),
        ({"nasbench201": {"cifar10": {"pi_latency": [-1.0]}}}, "not below 0"),
        ({"nasbench201": {"cifar10": {"pi_latency": [10**400]}}}, "too large"),
        ({"nasbench201": {"cifar10": {"pi_latency": [True]}}}, "a number is wanted"),
        ({"nasbench201": {"cifar10": {"a_latency": [1.0], "b_latency": [1.0, 2.0]}}}, "2 numbers for 1 entries"),
        ({"nasbench201": {"cifar10": {3: [1.0]}}}, "unit of '3'"),
        (Path, "nothing but plain data"),
        (fbnet([1]), "'fbnet' is no table"),
        (fbnet({"pi_latency": [1.0]}), "no mapping from blocks"),
        (fbnet({"pi_latency": {3: 1.0}}), "no mapping from blocks"),
        (fbnet({"pi_speed": {"FC": 1.0}}), "unit of 'pi_speed'"),
        (fbnet({"pi_latency": {"FC": "1"}}), "a number is wanted"),
        (fbnet({"pi_latency": {"FC": 1.0}, "pi_energy": {"Skip": 1.0}}), "not of the same blocks"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_layouts_are_one_line(tmp_path: Path, content: Any, words: str) -> None:
    path = written(tmp_path / "b.pickle", content)
    with pytest.raises(InputError, match=words) as caught:
        read_hwnasbench(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_hwnasbench(tmp_path / "none.pickle")
