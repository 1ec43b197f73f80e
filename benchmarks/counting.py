"""CPU instructions of a call, counted by the processor; where that is not allowed there is no number."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Callable

#: The system call perf_event_open, per kind of processor.
_CALL = {"x86_64": 298, "aarch64": 241}
#: Switches of a counter (ioctl), and the flags disabled | exclude_kernel | exclude_hypervisor.
_ENABLE, _DISABLE, _RESET = 0x2400, 0x2401, 0x2403
_FLAGS = 1 | 1 << 5 | 1 << 6


def instructions(call: Callable[[], object]) -> int | None:
    """Instructions that this thread retires in user mode during one call; None where the kernel or the processor does not count them."""
    number = _CALL.get(platform.machine())
    if number is None:
        return None
    # perf_event_attr, version 0: type (hardware), size, config (instructions), period, sample type, read format, flags, the rest 0.
    attributes = struct.pack("=IIQQQQQQQ", 0, 64, 1, 0, 0, 0, _FLAGS, 0, 0)
    counter = ctypes.CDLL(None).syscall(number, ctypes.c_char_p(attributes), 0, -1, -1, 0)
    if counter < 0:
        return None
    try:
        fcntl.ioctl(counter, _RESET, 0)
        fcntl.ioctl(counter, _ENABLE, 0)
        call()
        fcntl.ioctl(counter, _DISABLE, 0)
        return int(struct.unpack("=Q", os.read(counter, 8))[0]) or None
    finally:
        os.close(counter)
