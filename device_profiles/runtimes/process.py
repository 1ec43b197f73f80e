"""The parent's side of a runtime in a child process: requests with a time limit, crashes as errors, a new child after each."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError, InputError, RuntimeFailure
from device_profiles.graphs import graph, models
from device_profiles.operators import Network
from device_profiles.runtimes.catalogue import COMPILING, WHOLE_ONLY
from device_profiles.runtimes.executed import executed_network
from device_profiles.runtimes.gate import REFERENCE, before_softmax, wrong_result
from device_profiles.runtimes.worker import unpack, write_frame

_HEADER = struct.Struct(">II")

#: Seconds that a request with a model may take at least where a compiler or converter runs.
_COMPILE_S = 600.0
_PATIENT = COMPILING | {"ncnn"}


class RuntimeCrash(DeviceError):
    """The child died or hung and was killed; the next request starts a new one, and all handles are void."""


class RuntimeProcess:
    """A native runtime in a child process.

    `generation` counts the children that are gone: a handle is valid only in the generation that made it.
    """

    def __init__(self, runtime: str = "onnxruntime", threads: int = 1, timeout_s: float = 60.0) -> None:
        self.runtime, self.threads, self.timeout_s = runtime, threads, timeout_s
        self.generation = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._reference: RuntimeProcess | None = None
        self._right: set[bytes] = set()

    def __enter__(self) -> RuntimeProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child, if there is one, and that of the reference; what was compiled for it goes too."""
        if self._reference is not None:
            self._reference.close()
        self._end_child()

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            self.generation += 1
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # the child leads a group of its own; a compiler that it started is in it
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # half a request may still be buffered for a child that is gone
                        pipe.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def fingerprint(self) -> dict[str, Any]:
        """The runtime's name, version and settings."""
        return self._ask({"request": "fingerprint"})[0]

    def executed_graph(self, model: bytes, name: str = "network") -> Network:
        """The network that the runtime really executes for an ONNX model, after its own fusions.

        Raises RuntimeFailure when the runtime refuses the model, RuntimeCrash when it dies of it.
        """
        reply, optimised = self._ask({"request": "executed"}, model, self._patience_s)
        return executed_network(self.runtime, reply, optimised, model, name)

    def load(self, model: bytes, isolated: bool) -> int:
        """Makes a session and returns its handle; see `Runtime.load` for `isolated`.

        What another runtime than onnxruntime on the CPU computes is compared with what that computes, once per model. Raises
        RuntimeFailure, `wrong result: ...`, when they differ.
        """
        handle = int(self._ask({"request": "load", "isolated": isolated}, model, self._patience_s)[0]["handle"])
        if self.runtime != REFERENCE:
            self._compare(handle, model)
        return handle

    @property
    def tells_kernels(self) -> bool:
        """Whether the runtime says which kernels it executes, so that operators can be measured; else networks are measured whole only."""
        return self.runtime not in WHOLE_ONLY

    @property
    def _patience_s(self) -> float:
        """Seconds that loading may take at least."""
        return _COMPILE_S if self.runtime in _PATIENT else 0.0

    def _compare(self, handle: int, model: bytes) -> None:
        digest = hashlib.sha256(model).digest()
        if digest in self._right:
            return
        if self._reference is None:
            self._reference = RuntimeProcess(REFERENCE, 1, self.timeout_s)
        compared = before_softmax(model)
        try:
            mine = self.run(handle) if compared is None else self._outputs(compared)
            right = self._reference.load(compared or model, isolated=False)
            error = wrong_result(self.runtime, mine, self._reference.run(right))
            self._reference.unload(right)
        except (RuntimeFailure, RuntimeCrash) as failure:
            if self._child is None:
                raise
            error = f"not compared with {REFERENCE}: {failure}"
        if error:
            self.unload(handle)
            raise RuntimeFailure(error)
        self._right.add(digest)

    def _outputs(self, model: bytes) -> list[npt.NDArray[Any]]:
        """The outputs of a model that is loaded for that alone."""
        handle = int(self._ask({"request": "load", "isolated": False}, model, self._patience_s)[0]["handle"])
        outputs = self.run(handle)
        self.unload(handle)
        return outputs

    def run(self, handle: int) -> list[npt.NDArray[Any]]:
        """The outputs of one run, in the order of the model. Every runtime gets the same inputs, see `base.feeds`."""
        return unpack(self._ask({"request": "run", "handle": handle})[1])

    def node_times(self, model: bytes, runs: int, name: str = "network") -> tuple[Network, dict[str, npt.NDArray[np.float64]]]:
        """The executed network and milliseconds of its nodes inside it, by their names, `(runs,)` each; see `Runtime.node_times`.

        Raises RuntimeFailure when the runtime does not tell.
        """
        reply, optimised = self._ask({"request": "nodes", "runs": runs}, model, self._patience_s)
        executed = executed_network(self.runtime, reply, optimised, model, name)
        return executed, {node: np.array(times, dtype=np.float64) / 1e6 for node, times in reply["times_ns"].items()}

    def unload(self, handle: int) -> None:
        """Frees a session."""
        self._ask({"request": "unload", "handle": handle})

    def usage(self) -> dict[str, Any]:
        """The child's process number, `pid`, and the seconds of processor time that it has used, `cpu_s`."""
        return self._ask({"request": "usage"})[0]

    def peak_memory(self, model: bytes, empty: bytes) -> int:
        """Bytes that a whole network adds to the peak of a new child that has loaded and run nothing but the `empty` model before."""
        self._end_child()
        self.run(int(self._ask({"request": "load", "isolated": False}, empty)[0]["handle"]))
        return int(self._ask({"request": "memory"}, model, self._patience_s)[0]["peak_bytes"])

    def time(self, handle: int, *, warmup: int, block_ns: int, min_calls: int, max_calls: int) -> npt.NDArray[np.int64]:
        """Nanoseconds of single calls, back to back for about `block_ns`; shape `(calls,)`."""
        return self.block(handle, warmup=warmup, block_ns=block_ns, min_calls=min_calls, max_calls=max_calls, quiet=0.0)[0]

    def block(
        self, handle: int, *, warmup: int, block_ns: int, min_calls: int, max_calls: int, quiet: float
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:
        """The same, and which of the calls ran while the core was left alone, see `quiet.Quiet`; `(calls,)` each.

        Nobody can tell, and it is None, when `quiet` (such as 1.3) is 0, and where several threads or a GPU compute.
        """
        request = {
            "request": "time",
            "handle": handle,
            "warmup": warmup,
            "block_ns": block_ns,
            "min_calls": min_calls,
            "max_calls": max_calls,
            "quiet": quiet,
        }
        answer, payload = self._ask(request)
        rows = np.frombuffer(payload, dtype="<i8").astype(np.int64).reshape(int(answer["rows"]), -1)
        return rows[0], rows[1] > 0 if len(rows) > 1 else None

    def _start(self) -> subprocess.Popen[bytes]:
        # The child finds this package where this process found it, whatever its working directory.
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        # A child that is killed cannot clean up: its temporary files lie where its parent does.
        self._folder = tempfile.TemporaryDirectory(prefix="hwnas-", ignore_cleanup_errors=True)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": str(self.threads),
            "TMPDIR": self._folder.name,
        }
        command = [sys.executable, "-m", "device_profiles.runtimes.worker", self.runtime, str(self.threads)]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )
        self._child = child
        try:
            self._receive(child, time.monotonic() + max(self.timeout_s, 60.0))
        except RuntimeFailure as error:
            self.close()
            raise DeviceError(f"runtime {self.runtime!r} does not start: {error}") from error
        return child

    def _ask(self, message: dict[str, Any], payload: bytes = b"", patience_s: float = 0.0) -> tuple[dict[str, Any], bytes]:
        child = self._child or self._start()
        if len(payload) >= 2**32:
            raise InputError(f"a model of {len(payload) / 1e9:.1f} GB is too large for one request")
        try:
            if child.stdin is None:
                raise BrokenPipeError
            write_frame(child.stdin, message, payload)
        except BrokenPipeError:
            raise self._crashed(child) from None
        return self._receive(child, time.monotonic() + max(self.timeout_s, patience_s))

    def _receive(self, child: subprocess.Popen[bytes], deadline: float) -> tuple[dict[str, Any], bytes]:
        text_size, payload_size = _HEADER.unpack(self._read(child, _HEADER.size, deadline))
        reply = json.loads(self._read(child, text_size, deadline))
        payload = self._read(child, payload_size, deadline)
        if "error" in reply:
            raise RuntimeFailure(" ".join(str(reply["error"]).split())[:300])
        return reply, payload

    def _read(self, child: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        assert child.stdout is not None
        parts, started = list[bytes](), time.monotonic()
        while size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                self._end_child()
                raise RuntimeCrash(f"hung: no answer from {self.runtime} within {time.monotonic() - started:.0f} s")
            part = os.read(child.stdout.fileno(), min(size, 1 << 20))
            if not part:
                raise self._crashed(child)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _crashed(self, child: subprocess.Popen[bytes]) -> RuntimeCrash:
        code = child.wait()
        self._end_child()
        reason = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return RuntimeCrash(f"crashed: {reason}")


@contextmanager
def lowering(runtime: str = "onnxruntime", threads: int = 1) -> Iterator[Callable[[Network | bytes], Network]]:
    """A function from a network (or an ONNX model's bytes) to the network that the runtime executes for it.

    Asks one child process, kept for the whole block.
    """
    with RuntimeProcess(runtime, threads) as process:

        def lower(source: Network | bytes) -> Network:
            """What the runtime executes for a network as it is written."""
            if isinstance(source, bytes):
                return process.executed_graph(graph.name_nodes(source))
            return process.executed_graph(models.network_model(source), source.name)

        yield lower
