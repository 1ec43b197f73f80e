from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.errors import DeviceError, InputError
from device_profiles.fingerprint import device_fingerprint, device_name, differences, emulation
from device_profiles.operators import Tensor
from device_profiles.plan import make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess

RUNTIME = {"name": "onnxruntime", "version": "1.31.1", "threads": 1, "provider": "CPUExecutionProvider"}


def test_this_device() -> None:
    device = device_fingerprint()
    assert device["cpu"]
    assert device["cores"] >= 1
    assert device["architecture"]
    assert "hostname" not in device
    assert device["emulated"] is False
    assert differences(device, RUNTIME, device_fingerprint(), RUNTIME) == []


def test_names_are_short_and_stable() -> None:
    def name(cpu: str, threads: int = 1) -> str:
        return device_name({"cpu": cpu}, {**RUNTIME, "threads": threads})

    assert name("Intel(R) Xeon(R) Processor @ 2.80GHz") == "xeon-2.80ghz/onnxruntime/1t"
    assert name("AMD EPYC 9R14", 4) == "amd-epyc-9r14/onnxruntime/4t"
    assert name("Raspberry Pi 5 Model B Rev 1.0") == "raspberry-pi-5-model-b/onnxruntime/1t"
    assert name("???") == "cpu/onnxruntime/1t"


def test_differences_name_what_matters_and_only_that() -> None:
    device: dict[str, Any] = {"cpu": "A", "cores": 2, "architecture": "x86_64", "isa": [], "governor": "performance"}
    assert differences(device, RUNTIME, {**device, "governor": "powersave"}, RUNTIME) == []
    (cpu,) = differences(device, RUNTIME, {**device, "cpu": "B"}, RUNTIME)
    assert cpu == "cpu 'A' is not 'B'"
    assert len(differences(device, RUNTIME, device, {**RUNTIME, "version": "2", "threads": 4})) == 2
    emulated = {**device, "emulated": True}
    assert differences(emulated, RUNTIME, device, RUNTIME) == ["emulated True is not False"]
    assert differences({**device, "emulated": False}, RUNTIME, device, RUNTIME) == []  # older profiles do not say


def files(root: Path, **contents: str) -> Path:
    for name, content in contents.items():
        path = root / {
            "arch": "proc/sys/kernel/arch", "modalias": "sys/devices/system/cpu/modalias", "cpuinfo": "proc/cpuinfo",
            "model": "proc/device-tree/model", "meminfo": "proc/meminfo",
        }[name]  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def runs_inside(root: Path, program: str) -> Path:
    task = root / "proc/self/task/123"
    task.mkdir(parents=True)
    (task / "exe").symlink_to(program)
    return root


PI = "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"


def test_an_emulator_gives_itself_away(tmp_path: Path) -> None:
    emulators = {
        "exe": runs_inside(tmp_path / "exe", "/usr/bin/qemu-aarch64-static"),
        "kernel": files(tmp_path / "kernel", arch="x86_64\n", cpuinfo=PI),
        "modalias": files(tmp_path / "modalias", modalias="cpu:type:x86,ven0000fam0006mod006A:feature:,0000", cpuinfo=PI),
    }
    for root in emulators.values():
        assert emulation(root, "aarch64") is not None
    assert emulation(files(tmp_path / "rosetta", cpuinfo="vendor_id\t: VirtualApple\n"), "x86_64") is not None
    assert emulation(files(tmp_path / "tcg", cpuinfo="model name\t: QEMU TCG CPU version 2.5+\n"), "x86_64") is not None


def test_real_processors_are_not_taken_for_emulated(tmp_path: Path) -> None:
    root = runs_inside(tmp_path / "pi", "/usr/bin/python3.11")
    files(root, arch="aarch64", modalias="cpu:type:aarch64:feature:,0000,0001", cpuinfo=PI)
    assert emulation(root, "aarch64") is None
    assert emulation(root, "armv7l") is None  # a 32-bit program on a 64-bit kernel runs on the processor itself
    assert emulation(files(tmp_path / "pc", arch="x86_64", modalias="cpu:type:x86,ven0000"), "i686") is None
    assert emulation(tmp_path / "empty", "riscv64") is None


def test_another_device_from_its_files(tmp_path: Path) -> None:
    root = files(tmp_path, cpuinfo=PI, model="Raspberry Pi 5 Model B Rev 1.0\x00", meminfo="MemTotal:        8245408 kB\n")
    device = device_fingerprint(root)
    assert (device["cpu"], device["memory_mb"], device["isa"]) == ("Raspberry Pi 5 Model B Rev 1.0", 8052, ["asimd"])


def test_emulated_times_are_no_measurements(runtime: RuntimeProcess, tmp_path: Path) -> None:
    net = NetworkBuilder("n", {"x": Tensor((1, 8, 8, 8))})
    plan = make_plan([runtime.executed_graph(onnx_io.network_model(net.build(net.conv("c", "x", 8, 1))))])
    root, path = runs_inside(tmp_path, f"/usr/bin/qemu-{os.uname().machine}"), tmp_path / "p.jsonl"
    settings = Protocol(block_ms=1.0, min_rounds=3, max_rounds=3, prelude_rounds=2, quiet=0.0)
    with pytest.raises(DeviceError, match="emulated"):
        Campaign(plan, path, runtime, settings=settings, root=root).run()
    assert not path.exists()
    Campaign(plan, path, runtime, settings=settings, root=root, functional=True).run()
    profile = DeviceProfile.read(path)
    assert profile.header["functional"] is True
    assert profile.header["device"]["emulated"] is True
    with pytest.raises(InputError, match="its times mean nothing"):
        profile.refuse_functional()
    real = tmp_path / "real"
    real.mkdir()
    Campaign(plan, tmp_path / "q.jsonl", runtime, settings=settings, root=real).run()
    DeviceProfile.read(tmp_path / "q.jsonl").refuse_functional()
    with pytest.raises(InputError, match="only tries the way"):
        Campaign(plan, tmp_path / "q.jsonl", runtime, settings=settings, root=real, functional=True).run()
