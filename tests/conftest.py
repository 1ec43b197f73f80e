"""Shared by all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# One thread per native library: tests run side by side on few cores, and none of them measures speed.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Tests in the background of a shell script ignore ctrl-c, and so would the programs that they start; some are to be stopped with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No time limit per example: the machine may be busy.
settings.register_profile("hwnas", deadline=None)
settings.load_profile("hwnas")
