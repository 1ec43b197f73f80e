"""Runtimes, each in a child process of its own."""

from __future__ import annotations

from device_profiles.errors import RuntimeFailure
from device_profiles.runtimes.catalogue import RUNTIMES
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess, lowering

__all__ = ["RUNTIMES", "RuntimeCrash", "RuntimeFailure", "RuntimeProcess", "lowering"]
