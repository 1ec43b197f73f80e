"""NVIDIA GPUs through NVML (the package `nvidia-ml-py`): a counter of energy where the board has one, else samples of power."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from device_profiles.energy.meter import Meter, MeterError, Reading, now


class NvmlMeter(Meter):
    """One whole graphics board. Raises MeterError when the library, the driver or the board is missing."""

    name = "nvml"
    unit: Literal["J", "W"]
    gpu = True

    def __init__(self, index: int = 0, library: Any = None) -> None:
        self._nvml = library or load()
        try:
            self._nvml.nvmlInit()
            self._board = self._nvml.nvmlDeviceGetHandleByIndex(index)
            board = self._nvml.nvmlDeviceGetName(self._board)
        except self._nvml.NVMLError as error:
            raise MeterError(f"NVML cannot open GPU {index}: {error}") from error
        self.rails = (board.decode() if isinstance(board, bytes) else str(board),)
        self.covers = "the whole graphics board, without the machine around it"
        self._start_mj, self.unit = 0.0, "J"
        # Boards since Volta count millijoules, renewed some ten times a second; older ones only tell power.
        self.period_s, self.resolution = 0.1, 0.001
        try:
            self._start_mj = float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._board))
        except self._nvml.NVMLError:
            self.unit = "W"
            self.read()

    def read(self) -> Reading:
        """Joules since opening, or watts now."""
        try:
            if self.unit == "J":
                return Reading(now(), (self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._board) - self._start_mj) / 1e3)
            return Reading(now(), self._nvml.nvmlDeviceGetPowerUsage(self._board) / 1e3)
        except self._nvml.NVMLError as error:
            raise MeterError(f"NVML tells neither energy nor power of {self.rails[0]}: {error}") from error


def load() -> Any:
    """The NVML library. Raises MeterError when the package is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ImportError as error:
        raise MeterError("needs the package nvidia-ml-py to read NVIDIA GPUs (pip install nvidia-ml-py)") from error
