"""One cost of an accelerator as the `CostTable` of a space: the same gather and add as for a measured device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from device_profiles.operators import Network, Operator
from predictors.cost_table import CostTable, Priced
from predictors.head import Doubt, ResidualHead

if TYPE_CHECKING:
    from predictors.accelerators.base import Accelerator, AcceleratorPrediction


class Column:
    """One of `latency_ms`, `energy_mj`, `area_mm2` of an accelerator, in the form that a table asks for."""

    def __init__(self, accelerator: Accelerator, name: str) -> None:
        self.accelerator, self.name = accelerator, name
        self.head_ = ResidualHead(getattr(accelerator.standing, name), 1.0, 0.0)
        self.doubt_ = Doubt(0.0, 0.0, 0)

    def predict(self, network: Network) -> AcceleratorPrediction:
        """The graph path."""
        return self.accelerator.predict(network)

    def predict_operators(self, operators: Sequence[Operator]) -> list[Priced]:
        """This cost of every operator, in order; nothing says by how much a formula is off."""
        return [Priced(getattr(self.accelerator.operator(op), self.name)) for op in operators]

    def compile(self, space: Any, lower: Callable[[Network], Network] | None = None) -> CostTable:
        """The table of a space. `lower` maps a network to the one that the accelerator executes; without it every node runs by itself."""
        return CostTable.compile(space, lower if lower is not None else _as_written, self, quantity=self.name)


def _as_written(network: Network) -> Network:
    return network
