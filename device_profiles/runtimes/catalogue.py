"""Which runtimes there are, and the one that was asked for. Importing this loads none of them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING

from device_profiles.errors import DeviceError, unknown

if TYPE_CHECKING:
    from device_profiles.runtimes.base import Runtime

#: The runtimes that can be measured, each with one line about it.
RUNTIMES = {
    "onnxruntime": "ONNX Runtime, CPU execution provider",
    "onnxruntime-cuda": "ONNX Runtime, CUDA execution provider, float32",
    "ncnn": "ncnn on the CPU, models converted by pnnx, float32",
    "openvino": "OpenVINO, CPU plugin, float32, one stream",
    "torch": "PyTorch on the CPU, eager, float32",
    "torch-compiled": "PyTorch on the CPU, torch.compile, float32; whole networks only",
    "torch-cuda": "PyTorch on CUDA, float32, CUDA graphs",
    "torch-cuda-tf32": "PyTorch on CUDA, float32 with TF32 products, CUDA graphs",
    "torch-cuda-bf16": "PyTorch on CUDA, bfloat16, CUDA graphs",
}

#: Runtimes that fuse and do not say what: only whole networks can be measured, and their networks are told as they are written.
WHOLE_ONLY = frozenset({"torch-compiled"})

#: Runtimes that start a compiler when a model is loaded, which takes long and more memory than running it.
COMPILING = frozenset({"torch-compiled"})

#: Runtimes whose one thread computes on the core on which its process is kept.
ON_ONE_CORE = frozenset({"onnxruntime", "ncnn", "torch", "torch-compiled", "openvino"})

#: The module of a runtime, the package it needs, and what installs that.
_MODULES = {
    "onnxruntime": ("onnxruntime", "onnxruntime", "pip install onnxruntime"),
    "onnxruntime-cuda": ("onnxruntime", "onnxruntime", "pip install onnxruntime-gpu"),
    "ncnn": ("ncnn", "ncnn", "pip install ncnn pnnx"),
    "openvino": ("openvino", "openvino", "pip install openvino"),
    "torch": ("torch", "torch", "pip install torch"),
}


def create(name: str, threads: int) -> Runtime:
    """The runtime `name`, with its package imported.

    Raises InputError for an unknown name, DeviceError when its package is not installed or its device is not there.
    """
    module, package, install = _module(name)
    try:
        implementation = importlib.import_module(f"device_profiles.runtimes.{module}")
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise DeviceError(f"the package {package!r} is not installed: {install}") from error
    runtime: Runtime = implementation.create(name, threads)
    return runtime


def check_installed(name: str) -> None:
    """Raises InputError for an unknown runtime, and DeviceError with the command that installs its package for this very Python."""
    _, package, install = _module(name)
    if importlib.util.find_spec(package) is None:
        raise DeviceError(f"the runtime {name} is not installed here: {sys.executable} -m {install}")


def _module(name: str) -> tuple[str, str, str]:
    if name not in RUNTIMES:
        raise unknown("runtime", name, RUNTIMES)
    return _MODULES[name if name in _MODULES else name.partition("-")[0]]
