"""`Cost`: what a search takes as an objective: a name, a unit, and a way to price a whole space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from device_profiles.operators import Network
from predictors.cost_table import CostTable

#: From a network as written to the network that the runtime executes.
Lower = Callable[[Network], Network]


class Compiles(Protocol):
    """Anything that turns a space into a table of prices."""

    def compile(self, space: Any, lower: Lower | None = None) -> CostTable:
        """The table of `space`."""
        ...


@dataclass(frozen=True)
class Cost:
    """One cost of a device, such as `latency_ms` in `ms`: cheap to evaluate, and less is better."""

    name: str
    unit: str
    predictor: Compiles
    direction: str = "min"
    expensive: bool = False
    origin: str = "predicted"

    def compile(self, space: Any, lower: Lower | None = None) -> CostTable:
        """A table that prices encoded architectures of `space`: `price(archs)` and `interval(archs)`."""
        return self.predictor.compile(space, lower)
