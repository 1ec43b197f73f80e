"""The child process that holds a native runtime: it may crash, the campaign may not.

Speaks frames over its standard input and output: two big-endian 32-bit lengths, a JSON object, a payload. Everything that native code
prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys
from typing import IO, Any

import numpy as np

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


class Worker:
    """Answers the parent's requests with one runtime."""

    def __init__(self, runtime: str, threads: int) -> None:
        # Imported here so that a runtime that is missing is reported as an answer, not as a dead process.
        from device_profiles.runtimes import onnxruntime as module

        if runtime != module.Runtime.name:
            raise ValueError(f"unknown runtime {runtime!r}")
        self.module, self.runtime = module, module.Runtime(threads)
        self.sessions: dict[int, Any] = {}

    def answer(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one request."""
        request = message["request"]
        if request == "fingerprint":
            return self.runtime.fingerprint(), b""
        if request == "executed":
            optimised, shapes, extra = self.runtime.executed(payload)
            return {"shapes": shapes, **extra}, optimised
        if request == "load":
            handle = max(self.sessions, default=0) + 1
            self.sessions[handle] = self.runtime.load(payload, bool(message["isolated"]))
            return {"handle": handle}, b""
        if request == "unload":
            del self.sessions[message["handle"]]
            return {}, b""
        if request == "time":
            call = self.sessions[message["handle"]].call
            times = self.module.time_calls(call, message["warmup"], message["block_ns"], message["min_calls"], message["max_calls"])
            return {}, times.astype("<i8").tobytes()
        raise ValueError(f"unknown request {request!r}")


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
        write_frame(sink, {"error": f"{type(error).__name__}: {error}"})
        return
    write_frame(sink, *reply)
    while (frame := read_frame(source)) is not None:
        try:
            reply = worker.answer(*frame)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}, b""
        write_frame(sink, *reply)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
