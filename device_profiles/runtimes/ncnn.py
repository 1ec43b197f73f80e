"""ncnn on the CPU, with models that pnnx converts, as it runs inside the child process."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import ncnn
import numpy as np

from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array, Executed
from device_profiles.runtimes.ncnn_model import prepared
from device_profiles.runtimes.ncnn_param import write_layers
from device_profiles.runtimes.ncnn_session import IsolatedSession, Session, as_mat, extracted, make_net
from device_profiles.runtimes.ncnn_trace import kernels
from device_profiles.runtimes.onnx_values import computed_values
from device_profiles.runtimes.pnnx import program

#: Everything is computed and kept in float32, as onnxruntime does; the rest is as ncnn comes.
_SETTINGS = {
    "use_fp16_packed": False, "use_fp16_storage": False, "use_fp16_arithmetic": False, "use_bf16_packed": False, "use_bf16_storage": False,
    "use_int8_inference": False, "use_packing_layout": True, "use_winograd_convolution": True, "use_sgemm_convolution": True,
    "use_vulkan_compute": False, "lightmode": True,
}  # fmt: skip


class Runtime(base.Runtime):
    """ncnn's CPU layers, in float32 throughout, with a fixed number of threads."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(name, threads)
        program()  # says what is missing before anything is asked
        self.settings = {**_SETTINGS, "num_threads": threads}

    def fingerprint(self) -> dict[str, Any]:
        """Versions and settings: what decides how fast the same model runs."""
        settings = {**_SETTINGS, "precision": "float32", "pnnx": importlib.metadata.version("pnnx")}
        return {"name": self.name, "version": ncnn.__version__, "threads": self.threads, "provider": "CPU", "settings": settings}

    def executed(self, model: bytes) -> Executed:
        """The layers that ncnn runs, each with the values of the source that it makes."""
        with prepared(model, isolated=False) as ready:
            net = make_net(write_layers(ready.layers), ready.weights, {**self.settings, "lightmode": False})
        extractor = net.create_extractor()
        for place, array in ready.inputs:
            extractor.input(place.blob, as_mat(array, place.batch_axis))
        made = {blob: _content(extracted(extractor, blob)) for layer in ready.layers for blob in layer.tops}
        return Executed("kernels", {"kernels": kernels(ready.layers, made, computed_values(model, ready.feeds))})

    def load(self, model: bytes, isolated: bool) -> Session:
        """A session ready to be timed."""
        with prepared(model, isolated) as ready:
            if isolated:
                return IsolatedSession(ready, self.settings)
            return Session(make_net(write_layers(ready.layers), ready.weights, self.settings), ready)


def _content(mat: Any) -> Array:
    return np.array(mat.numpy(batch_index=0) if mat.n > 1 else mat.numpy())


def create(name: str, threads: int) -> Runtime:
    """The runtime `ncnn`."""
    return Runtime(name, threads)
