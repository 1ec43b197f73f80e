from __future__ import annotations

from typing import Any

from device_profiles.fingerprint import device_fingerprint, device_name, differences

RUNTIME = {"name": "onnxruntime", "version": "1.31.1", "threads": 1, "provider": "CPUExecutionProvider"}


def test_this_device() -> None:
    device = device_fingerprint()
    assert device["cpu"]
    assert device["cores"] >= 1
    assert device["architecture"]
    assert "hostname" not in device
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
