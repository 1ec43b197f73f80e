"""What a runtime is to the rest: the small interface that each one implements inside its child process."""

from __future__ import annotations

import gc
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError

Array = npt.NDArray[Any]


def nothing() -> None:
    """What is done before a call where nothing is."""


@dataclass(frozen=True)
class Executed:
    """What a runtime says it executes for a model.

    `form` says how: `optimised`, an ONNX model of the executed nodes in `model`, with `details["shapes"]`: node name -> [(dtype, shape)];
    `kernels`, which nodes of the source run together, in `details["kernels"]` (see `fused.Kernel`); `source`, the nodes as written, one
    kernel each.
    """

    form: str
    details: dict[str, Any]
    model: bytes = b""


class Session(ABC):
    """A loaded model with inputs made for it."""

    @abstractmethod
    def call(self) -> object:
        """Runs the model once and returns when it is done."""

    @abstractmethod
    def outputs(self) -> list[Array]:
        """Runs the model once; its outputs in the order of the model, as float32 where the runtime computes in less."""

    def time(
        self, warmup: int, block_ns: int, min_calls: int, max_calls: int, before: Callable[[], object] = nothing
    ) -> npt.NDArray[np.int64]:
        """Nanoseconds of single calls, shape `(calls,)`; see `time_calls`."""
        return time_calls(self.call, warmup, block_ns, min_calls, max_calls, before)


class Runtime(ABC):
    """A native runtime with a fixed number of threads."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """`name`, `version`, `threads`, `provider` and settings: what decides how fast the same model runs."""

    @abstractmethod
    def executed(self, model: bytes) -> Executed:
        """What runs for an ONNX model after the runtime's own fusions."""

    @abstractmethod
    def load(self, model: bytes, isolated: bool) -> Session:
        """A session ready to be timed.

        `isolated`: the model holds operators that are already what the runtime executes: inputs and outputs are bound beforehand, so that
        nothing but the operators is timed. Otherwise it is a whole network, called as a user calls it.
        """

    def probe(self) -> Callable[[], object] | None:
        """A few microseconds of work on all threads of this runtime at once, timed by `quiet.Quiet`; None where there is none."""
        return None

    def node_times(self, model: bytes, runs: int) -> tuple[Executed, dict[str, list[int]]]:
        """What runs for an ONNX model, and nanoseconds of its nodes inside the running network by their names, one per run, as the
        runtime's own profiler tells.

        Both come from one session: nodes that the runtime adds may have other names in the next one. Raises DeviceError for a runtime
        that has no profiler.
        """
        raise DeviceError(f"{self.name} does not tell the times of single nodes: time the operators alone")


def feeds(inputs: Sequence[tuple[str, Sequence[Any], np.dtype[Any]]]) -> dict[str, Array]:
    """Inputs for `(name, shape, dtype)`: normal floats that depend on the name alone, so that all runtimes get the same; zeros for
    integers, which are legal as indices. A dimension that is not fixed is taken as 1."""
    result: dict[str, Array] = {}
    for name, dims, dtype in inputs:
        shape = [d if isinstance(d, int) and d > 0 else 1 for d in dims]
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        result[name] = rng.standard_normal(shape).astype(dtype) if dtype.kind == "f" else np.zeros(shape, dtype)
    return result


def time_calls(
    call: Callable[[], object], warmup: int, block_ns: int, min_calls: int, max_calls: int, before: Callable[[], object] = nothing
) -> npt.NDArray[np.int64]:
    """Times single calls back to back until the block is full; returns nanoseconds per call, shape `(calls,)`.

    The collector of the interpreter is off meanwhile. A block ends after `block_ns`, but has at least `min_calls` and at most `max_calls`.
    `before` is called before every call and not timed.
    """
    clock = time.perf_counter_ns
    times: list[int] = []
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(warmup):
            before()
            call()
        end = clock() + block_ns
        while len(times) < max_calls:
            before()
            start = clock()
            call()
            stop = clock()
            times.append(stop - start)
            if stop >= end and len(times) >= min_calls:
                break
    finally:
        if enabled:
            gc.enable()
    return np.array(times, dtype=np.int64)
