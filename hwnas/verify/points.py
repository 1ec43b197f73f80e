"""Which architectures are measured again, and what came out for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.quantity import Quantity
from hwnas.believed import Believed
from hwnas.profiling import arch_name
from hwnas.spaces.base import Archs, SearchSpace

#: What is verified.
LATENCY = "latency_ms"
#: At most this many points of a front are measured, evenly spaced along it.
MAX_POINTS = 40
#: Random architectures of the run measured beside the front.
RANDOM_POINTS = 6

#: Roles of architectures: on the front as it is now, on an earlier one, or one of the random ones beside it.
FRONT, FORMER, RANDOM = "front", "former", "random"

Architecture = tuple[int, ...]


@dataclass(frozen=True)
class Checked:
    """One re-measured architecture: what was predicted, what was measured, and its objectives as the search saw them, `(m,)`.

    `predicted` comes from a predictor that did not see the measurement.
    """

    architecture: Architecture
    role: str
    predicted: Quantity
    measurement: NetworkMeasurement
    row: npt.NDArray[np.float64]

    @property
    def error(self) -> float:
        """Relative error of the prediction: positive when it promised too much time."""
        return self.predicted.value / self.measurement.latency_ms.value - 1.0


def some_of_front(believed: Believed) -> list[Architecture]:
    """The points of the front, evenly spaced when there are many. Raises InputError when there are none."""
    front = believed.front().architectures
    if not len(front):
        raise InputError("the front of this run is empty; there is nothing to verify")
    picked = front[np.unique(np.linspace(0, len(front) - 1, min(len(front), MAX_POINTS)).round().astype(int))]
    return [tuple(arch) for arch in picked.tolist()]


def some_others(believed: Believed, seed: int) -> list[Architecture]:
    """Random usable architectures of the run that are not on the front."""
    front = {tuple(arch) for arch in believed.front().architectures.tolist()}
    others = [key for key in believed.keys() if key not in front]  # noqa: SIM118 - not a dict
    order = np.random.default_rng(seed).permutation(len(others))[:RANDOM_POINTS]
    return [others[index] for index in order]


def measurements(space: SearchSpace, profile: DeviceProfile, archs: Mapping[Architecture, str]) -> dict[Architecture, NetworkMeasurement]:
    """What a profile holds about architectures, in their order."""
    found = {measured.name: measured for measured in profile.networks()}
    names = {arch: arch_name(space, arch) for arch in archs}
    return {arch: found[name] for arch, name in names.items() if name in found}


def canonical(space: SearchSpace, arch: Architecture) -> Archs:
    """One architecture as the space writes it, shape `(n_choices,)`."""
    row: Archs = space.canonical(np.array(arch, dtype=np.int64))[0]
    return row
