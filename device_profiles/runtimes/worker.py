"""The child process that holds a native runtime: it may crash, the campaign may not.

Speaks frames over its standard input and output: two big-endian 32-bit lengths, a JSON object, a payload. Everything that native code
prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import signal
import struct
import sys
from collections.abc import Sequence
from functools import partial
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import HwnasError
from device_profiles.machine import memory
from device_profiles.runtimes import catalogue
from device_profiles.runtimes.base import Session
from device_profiles.runtimes.quiet import Quiet

_HEADER = struct.Struct(">II")


def write_frame(file: IO[bytes], message: dict[str, Any], payload: bytes = b"") -> None:
    """Writes one frame."""
    text = json.dumps(message).encode()
    file.write(_HEADER.pack(len(text), len(payload)) + text)
    file.write(payload)
    file.flush()


def read_frame(file: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Reads one frame; None when the other side is gone."""
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    text_size, payload_size = _HEADER.unpack(header)
    text, payload = file.read(text_size), file.read(payload_size)
    if len(text) < text_size or len(payload) < payload_size:
        return None
    return json.loads(text), payload


def pack(arrays: Sequence[npt.NDArray[Any]]) -> bytes:
    """Arrays as bytes."""
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def unpack(data: bytes) -> list[npt.NDArray[Any]]:
    """The inverse of `pack`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return [arrays[f"arr_{index}"] for index in range(len(arrays))]


class Worker:
    """Answers the parent's requests with one runtime."""

    def __init__(self, runtime: str, threads: int) -> None:
        self.runtime = catalogue.create(runtime, threads)
        self.sessions: dict[int, Session] = {}
        self.probe = self.runtime.probe() if threads > 1 else None
        self.probed = self.probe is not None or (threads == 1 and runtime in catalogue.ON_ONE_CORE)
        self.quiet: Quiet | None = None

    def answer(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one request."""
        request = message["request"]
        if request == "fingerprint":
            return self.runtime.fingerprint(), b""
        if request == "executed":
            executed = self.runtime.executed(payload)
            return {"form": executed.form, "details": executed.details}, executed.model
        if request == "load":
            handle = max(self.sessions, default=0) + 1
            self.sessions[handle] = self.runtime.load(payload, bool(message["isolated"]))
            return {"handle": handle}, b""
        if request == "unload":
            del self.sessions[message["handle"]]
            return {}, b""
        if request == "time":
            session = self.sessions[message["handle"]]
            block = partial(session.time, message["warmup"], message["block_ns"], message["min_calls"], message["max_calls"])
            if not (message["quiet"] and self.probed):
                return {"rows": 1}, block().astype("<i8").tobytes()
            times, quiet = self._quiet(message["quiet"]).timed(block)
            return {"rows": 2}, np.array([times, quiet], dtype="<i8").tobytes()
        if request == "run":
            return {}, pack(self.sessions[message["handle"]].outputs())
        if request == "nodes":
            executed, times_ns = self.runtime.node_times(payload, int(message["runs"]))
            return {"form": executed.form, "details": executed.details, "times_ns": times_ns}, executed.model
        if request == "usage":
            return {"pid": os.getpid(), "cpu_s": sum(os.times()[:2])}, b""
        if request == "memory":
            return {"peak_bytes": memory.growth(lambda: self._used(payload))}, b""
        raise ValueError(f"unknown request {request!r}")

    def _quiet(self, limit: float) -> Quiet:
        if self.quiet is None or self.quiet.limit != limit:
            self.quiet = Quiet(limit, self.probe)
        return self.quiet

    def _used(self, model: bytes) -> Session:
        """A session of a whole network that has run twice: some memory is only taken by a second run."""
        session = self.runtime.load(model, isolated=False)
        session.call()
        session.call()
        return session


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, HwnasError) else f"{type(error).__name__}: {error}"


def main(runtime: str, threads: int) -> None:
    """Serves requests until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlive a parent that was killed
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        worker = Worker(runtime, threads)
        reply: tuple[dict[str, Any], bytes] = ({"ready": True, "numpy": np.__version__}, b"")
    except Exception as error:
        write_frame(sink, {"error": _text(error)})
        return
    write_frame(sink, *reply)
    while (frame := read_frame(source)) is not None:
        try:
            reply = worker.answer(*frame)
        except Exception as error:
            reply = {"error": _text(error)}, b""
        write_frame(sink, *reply)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
