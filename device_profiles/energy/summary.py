"""From the runs of one item to its energy with a 90 % interval, as a line of the profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.energy.recorder import Power
from device_profiles.quantity import Quantity

#: The 95th percentile of Student's t by degrees of freedom: a 90 % interval of a mean of few values.
_T95 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833}

#: Energies that are less certain than this to either side say so.
NOISY = 0.10


@dataclass(frozen=True)
class Run:
    """One run: its power, the seconds per call of this run, its number of calls, and the watts at rest around it."""

    power: Power
    call_s: float
    calls: int
    idle_w: float = 0.0

    def at_rest(self, idle_w: float) -> Run:
        """The same run with the power at rest around it."""
        return replace(self, idle_w=idle_w)


@dataclass(frozen=True)
class _Energy:
    """Millijoules, and half of the width of their 90 % interval."""

    value: float
    half: float

    def per_copy(self, floor: _Energy | None, copies: int) -> _Energy:
        """Less an empty call, divided by the copies in one call; as it is where nothing is subtracted."""
        if floor is None:
            return self
        return _Energy((self.value - floor.value) / copies, math.hypot(self.half, floor.half) / copies)

    def quantity(self) -> Quantity:
        """With its 90 % interval, which does not go below 0."""
        return Quantity(_short(self.value), _short(max(self.value - self.half, 0.0)), _short(self.value + self.half), "measured")


def half_width(values: npt.ArrayLike) -> float:
    """Half of the width of the 90 % interval of the mean of a few independent values, shape `(n,)` with n from 2."""
    array = np.asarray(values, dtype=np.float64)
    degrees = len(array) - 1
    return float(_T95.get(degrees, 1.75) * array.std(ddof=1) / math.sqrt(len(array)))


def idle_quantity(idle: Sequence[Power]) -> Quantity:
    """The power at rest from several windows."""
    watts = [power.watts for power in idle]
    half, value = math.hypot(half_width(watts), max(power.doubt for power in idle)), float(np.mean(watts))
    return Quantity(_short(value), _short(max(value - half, 0.0)), _short(value + half), "measured")


def energy_line(key: str, runs: Sequence[Run], floor: Sequence[Run] | None, copies: int, idle: Sequence[Power]) -> dict[str, Any]:
    """The profile line of one item.

    `floor`: the runs of the empty call, for an isolated item, which holds `copies` of its operator. `energy_mj` is above what the device
    draws at rest, `total_energy_mj` holds that too. An energy that is not above 0 is a failure: a number would be invented.
    """
    rest = idle_quantity(idle)
    idle_half = (rest.high - rest.low) / 2
    above = _above(runs, idle_half).per_copy(_above(floor, idle_half) if floor else None, copies)
    total = _total(runs).per_copy(_total(floor) if floor else None, copies)
    if above.value <= 0 or total.value <= 0:
        return failed_line(key, f"below what the meter can tell: {above.value:.3g} mJ above rest, +- {above.half:.2g}")
    watts = np.array([run.power.watts for run in runs])
    power = _Energy(float(watts.mean()), math.hypot(half_width(watts), max(run.power.doubt for run in runs)))
    share = above.half / above.value
    return {
        "type": "energy", "key": f"energy/{key}", "of": key, "status": "ok",
        "energy_mj": above.quantity().to_json(), "total_energy_mj": total.quantity().to_json(), "power_w": power.quantity().to_json(),
        "idle_w": rest.to_json(), "copies": copies,
        "runs": [[_short(run.power.watts), _short(run.idle_w), _short(run.call_s * 1e3), run.calls] for run in runs],
        "warnings": [f"noisy: energy uncertain by {share:.0%}"] if share > NOISY else [],
    }  # fmt: skip


def failed_line(key: str, error: str) -> dict[str, Any]:
    """The profile line of an item whose energy could not be measured."""
    return {"type": "energy", "key": f"energy/{key}", "of": key, "status": "failed", "error": error}


def _total(runs: Sequence[Run]) -> _Energy:
    """Everything the device drew during a call: spread over the rounds, and steps of the meter."""
    energies = [run.power.watts * run.call_s * 1e3 for run in runs]
    doubt = float(np.mean([run.power.doubt * run.call_s for run in runs])) * 1e3
    return _Energy(float(np.mean(energies)), math.hypot(half_width(energies), doubt))


def _above(runs: Sequence[Run], idle_half: float) -> _Energy:
    """What a call draws above rest; how well the power at rest is known is part of the doubt."""
    energies = [(run.power.watts - run.idle_w) * run.call_s * 1e3 for run in runs]
    call_ms = float(np.mean([run.call_s for run in runs])) * 1e3
    doubt = float(np.mean([run.power.doubt for run in runs])) * call_ms
    return _Energy(float(np.mean(energies)), math.hypot(half_width(energies), doubt, idle_half * call_ms))


def _short(value: float) -> float:
    return float(f"{value:.7g}")
