"""PyTorch as it runs inside the child process: on the CPU eager or compiled, on CUDA through CUDA graphs.

`torch-compiled` times whole networks only. TorchInductor writes one kernel for every run of element-wise nodes between two library calls
(convolutions, products), across what the nodes of the model are, and decides where a run ends from the whole graph. A node compiled alone
would be charged for reading and writing tensors that the network never writes, and for the checks before each call of compiled code, which
a network pays once; the sum of such times is not the time of the network. So its executed networks are the nodes as they are written,
which is what the source says and no claim about kernels, and none of them is measured alone.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of compilers that could outlive the child

import torch

from device_profiles.errors import DeviceError
from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array, Executed
from device_profiles.runtimes.torch_graph import torch_module

_DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "int64": np.int64, "int32": np.int32, "bool": np.bool_}

#: Calls that are queued before the host waits for the device, so that the device never waits for the host.
_QUEUED = 8


class Session(base.Session):
    """A module with its inputs on the device, called in inference mode."""

    def __init__(self, module: Any, inputs: list[torch.Tensor]) -> None:
        self.module, self.inputs = module, inputs

    def call(self) -> object:
        """Runs the model once."""
        with torch.inference_mode():
            return self.module(*self.inputs)

    def outputs(self) -> list[Array]:
        """The outputs of one run."""
        with torch.inference_mode():
            results = self.module(*self.inputs)
        return [_array(tensor) for tensor in results]


class GraphSession(base.Session):
    """A module captured as a CUDA graph; times are those of the device, between two events."""

    def __init__(self, module: Any, inputs: list[torch.Tensor]) -> None:
        self.module, self.inputs = module, inputs
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(3):  # kernels are chosen and workspaces allocated before the capture
                module(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(self.graph):
            self.results = module(*inputs)
        torch.cuda.synchronize()

    def call(self) -> object:
        """Runs the model once."""
        self.graph.replay()
        torch.cuda.synchronize()
        return self.results

    def outputs(self) -> list[Array]:
        """The outputs of one run."""
        self.call()
        return [_array(tensor) for tensor in self.results]

    def time(
        self, warmup: int, block_ns: int, min_calls: int, max_calls: int, before: Callable[[], object] = base.nothing
    ) -> npt.NDArray[np.int64]:
        """Nanoseconds of single calls on the device, shape `(calls,)`; the block is full when `block_ns` have passed on the host."""
        for _ in range(warmup):
            self.graph.replay()
        torch.cuda.synchronize()
        times: list[int] = []
        end = time.perf_counter_ns() + block_ns
        while len(times) < max_calls and (len(times) < min_calls or time.perf_counter_ns() < end):
            count = min(_QUEUED, max_calls - len(times))
            marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]  # type: ignore[no-untyped-call]
            marks[0].record()
            for mark in marks[1:]:
                before()
                self.graph.replay()
                mark.record()
            torch.cuda.synchronize()
            times.extend(max(1, round(a.elapsed_time(b) * 1e6)) for a, b in pairwise(marks))
        return np.array(times, dtype=np.int64)


class Runtime(base.Runtime):
    """One way to run PyTorch, by name: `torch`, `torch-compiled`, `torch-cuda`, `torch-cuda-tf32`, `torch-cuda-bf16`."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(name, threads)
        self.compiled = name == "torch-compiled"
        self.device = "cuda" if name.startswith("torch-cuda") else "cpu"
        self.dtype = torch.bfloat16 if name.endswith("-bf16") else torch.float32
        # What PyTorch recommends where reduced precision runs on tensor cores; elsewhere a user leaves tensors as they are.
        self.channels_last = name.endswith(("-bf16", "-tf32"))
        if self.compiled:
            _check_compiler()
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        if self.device == "cuda":
            if not torch.cuda.is_available():
                raise DeviceError("there is no CUDA device that PyTorch can use here; --runtime torch measures the processor")
            precision = "tf32" if name.endswith("-tf32") else "ieee"
            torch.backends.cuda.matmul.fp32_precision = precision
            torch.backends.cudnn.conv.fp32_precision = precision  # type: ignore[attr-defined]

    def fingerprint(self) -> dict[str, Any]:
        """Version and settings: what decides how fast the same model runs."""
        provider = f"CUDA {torch.version.cuda}, {torch.cuda.get_device_name()}" if self.device == "cuda" else "CPU"
        settings = {"compiled": self.compiled, "dtype": str(self.dtype).removeprefix("torch."), "channels_last": self.channels_last}
        return {
            "name": self.name,
            "version": torch.__version__,
            "threads": torch.get_num_threads(),
            "provider": provider,
            "settings": settings,
        }

    def executed(self, model: bytes) -> Executed:
        """The nodes as they are written: eager PyTorch fuses nothing and runs a kernel for each; of compiled code it is not known."""
        torch_module(model)
        return Executed("source", {})

    def load(self, model: bytes, isolated: bool) -> base.Session:
        """A session ready to be timed; weights and inputs lie on the device. A compiled model is compiled now."""
        module, network = torch_module(model)
        module = module.to(self.device)
        arrays = base.feeds([(name, t.shape, np.dtype(_DTYPES[t.dtype])) for name, t in network.inputs.items()])
        inputs = [self._placed(torch.from_numpy(array).to(self.device)) for array in arrays.values()]
        for name, buffer in module.named_buffers():
            setattr(module, name, self._placed(buffer))
        if self.device == "cuda":
            return GraphSession(module, inputs)
        if self.compiled:
            # Shapes are fixed; a graph that broke into several would be timed with the interpreter between them.
            session = Session(torch.compile(module, fullgraph=True, dynamic=False), inputs)
            session.call()
            return session
        return Session(module, inputs)

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_floating_point():
            tensor = tensor.to(self.dtype)
        return tensor.contiguous(memory_format=torch.channels_last) if self.channels_last and tensor.dim() == 4 else tensor


def _array(tensor: torch.Tensor) -> Array:
    tensor = tensor.detach().cpu()
    result: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return result


def _check_compiler() -> None:
    """Raises DeviceError when there is no C++ compiler, by the rule that TorchInductor goes by."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise DeviceError(f"torch-compiled needs a C++ compiler, and there is no {compiler!r}: apt-get install g++, or name one in CXX")


def create(name: str, threads: int) -> Runtime:
    """The runtime of that name."""
    return Runtime(name, threads)
