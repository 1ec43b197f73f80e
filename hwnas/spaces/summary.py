"""What the networks of a space cost, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.spaces.base import SearchSpace

#: Architectures that are drawn unless told otherwise: the median is then known to a few hundredths of the range.
SAMPLES = 300


@dataclass(frozen=True, slots=True)
class CostRange:
    """The smallest, the median and the largest of one cost over the architectures looked at."""

    unit: str
    minimum: float
    median: float
    maximum: float


def summarise(space: SearchSpace, rng: np.random.Generator, costs: Sequence[Any] = (), n: int = SAMPLES) -> dict[str, CostRange]:
    """`macs`, `params` and each of `costs` (such as `device.latency_ms`) over the smallest, the largest and `n` random architectures.

    Costs are compiled for the space first, which asks the device's runtime what it executes. Raises InputError when `n` is not positive.
    """
    if n < 1:
        raise InputError(f"at least 1 architecture is needed to summarise a space, got {n}")
    archs = np.vstack([space.smallest(), space.largest(), space.sample(n, rng)])
    networks = [space.network(arch) for arch in archs]
    found = {"macs": _range("", [net.macs for net in networks]), "params": _range("", [net.params for net in networks])}
    for cost in costs:
        found[cost.name] = _range(cost.unit, cost.compile(space).price(archs))
    return found


def _range(unit: str, values: Any) -> CostRange:
    return CostRange(unit, float(np.min(values)), float(np.median(values)), float(np.max(values)))
