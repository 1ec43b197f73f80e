"""Which runtimes there are, and the one that was asked for. Importing this loads none of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from device_profiles.errors import DeviceError, unknown

if TYPE_CHECKING:
    from device_profiles.runtimes.base import Runtime

#: The runtimes that can be measured, each with one line about it.
RUNTIMES = {
    "onnxruntime": "ONNX Runtime, CPU execution provider",
    "onnxruntime-cuda": "ONNX Runtime, CUDA execution provider, float32",
    "openvino": "OpenVINO, CPU plugin, float32, one stream",
    "torch": "PyTorch on the CPU, eager, float32",
    "torch-compiled": "PyTorch on the CPU, torch.compile, float32; whole networks only",
    "torch-cuda": "PyTorch on CUDA, float32, CUDA graphs",
    "torch-cuda-tf32": "PyTorch on CUDA, float32 with TF32 products, CUDA graphs",
    "torch-cuda-bf16": "PyTorch on CUDA, bfloat16, CUDA graphs",
}

#: The module of a runtime, the package it needs, and what installs that.
_MODULES = {
    "onnxruntime": ("onnxruntime", "onnxruntime", "pip install onnxruntime"),
    "onnxruntime-cuda": ("onnxruntime", "onnxruntime", "pip install onnxruntime-gpu"),
    "openvino": ("openvino", "openvino", "pip install 'hwnas[openvino]'"),
    "torch": ("torch", "torch", "pip install 'hwnas[train]'"),
}


def create(name: str, threads: int) -> Runtime:
    """The runtime `name`, with its package imported.

    Raises InputError for an unknown name, DeviceError when its package is not installed or its device is not there.
    """
    if name not in RUNTIMES:
        raise unknown("runtime", name, RUNTIMES)
    module, package, install = _MODULES[name if name in _MODULES else name.partition("-")[0]]
    try:
        implementation = importlib.import_module(f"device_profiles.runtimes.{module}")
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise DeviceError(f"the package {package!r} is not installed: {install}") from error
    runtime: Runtime = implementation.create(name, threads)
    return runtime
