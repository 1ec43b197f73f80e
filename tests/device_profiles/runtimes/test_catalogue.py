from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from device_profiles.errors import DeviceError, InputError
from device_profiles.runtimes import RUNTIMES, RuntimeProcess
from device_profiles.runtimes.catalogue import create


def test_every_runtime_has_a_line_and_a_module() -> None:
    folder = Path(__file__).parents[3] / "device_profiles" / "runtimes"
    for name, line in RUNTIMES.items():
        assert line
        assert "\n" not in line
        module = "onnxruntime" if name.startswith("onnxruntime") else name.partition("-")[0]
        assert (folder / f"{module}.py").exists()


def test_a_package_that_is_not_installed_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="openvino")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DeviceError, match=r"^the package 'openvino' is not installed: pip install openvino$"):
        create("openvino", 1)


def test_a_broken_package_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ModuleNotFoundError("No module named 'something_else'", name="something_else")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="something_else"):
        create("openvino", 1)


def test_unknown_runtime() -> None:
    with pytest.raises(InputError, match="did you mean 'openvino'"):
        create("openvin", 1)


def test_the_child_imports_only_what_was_asked_for() -> None:
    code = (
        "import sys; from device_profiles.runtimes.catalogue import create; create('onnxruntime', 1);"
        "print([m for m in ('openvino', 'torch', 'onnx') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["torch-cuda", "onnxruntime-cuda"])
def test_without_a_device_the_refusal_is_one_line(name: str) -> None:
    if name == "torch-cuda":
        if pytest.importorskip("torch").cuda.is_available():
            pytest.skip("there is a CUDA device")
    elif "CUDAExecutionProvider" in importlib.import_module("onnxruntime").get_available_providers():
        pytest.skip("this onnxruntime has the CUDA provider")
    with RuntimeProcess(name) as process, pytest.raises(DeviceError, match=r"^runtime '.*-cuda' does not start: (?!.*\n).*CUDA.*$"):
        process.fingerprint()
