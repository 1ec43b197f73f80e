"""What all modelled accelerators share: one cost per operator, and sums of them over a network, in a table, in a search."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError
from device_profiles.operators import ITEM_BYTES, Network, Operator
from device_profiles.quantity import Quantity

if TYPE_CHECKING:
    from predictors.cost import Cost
    from predictors.cost_table import CostTable

#: The additive costs, with the units in which a search shows them.
COSTS = {"latency_ms": "ms", "energy_mj": "mJ", "area_mm2": "mm2"}


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """What one operator adds. `details` say why: cycles, tiles, bytes; their names carry the units."""

    latency_ms: float
    energy_mj: float
    area_mm2: float
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AcceleratorPrediction:
    """The modelled price of one network; `operators[i]` belongs to node `nodes[i]`, `standing` is what the chip costs without any."""

    latency_ms: Quantity
    energy_mj: Quantity
    area_mm2: Quantity
    memory_mb: Quantity
    macs: int
    params: int
    standing: OperatorCost
    operators: list[OperatorCost]
    nodes: list[str]
    kinds: list[str]

    def explain(self) -> list[dict[str, Any]]:
        """One row per node, and first the chip itself; `math.fsum` of a cost over the rows is the total to the last bit."""
        named = zip(["(chip)", *self.nodes], ["", *self.kinds], [self.standing, *self.operators], strict=True)
        return [{"node": node, "kind": kind, **{cost: getattr(one, cost) for cost in COSTS}, **one.details} for node, kind, one in named]

    def to_json(self, explain: bool = False) -> dict[str, Any]:
        """The quantities as objects; with `explain` also `operators`, the rows of `explain()`."""
        data = {name: getattr(self, name).to_json() for name in (*COSTS, "memory_mb")} | {"macs": self.macs, "params": self.params}
        return {**data, "operators": self.explain()} if explain else data


class Accelerator(ABC):
    """A design that is computed, not measured: every number has the origin `modelled` and no interval, for nothing says how far it is off.

    Operators run one after another, so every cost is a sum over operators plus what the chip costs anyway.
    """

    #: Bits of a number, weights and activations alike.
    bits: int

    @abstractmethod
    def operator(self, op: Operator) -> OperatorCost:
        """What one operator adds; latency and energy are above 0 for every operator."""

    @property
    @abstractmethod
    def standing(self) -> OperatorCost:
        """What the chip costs before the first operator."""

    @property
    def latency_ms(self) -> Cost:
        """Latency as an objective of a search."""
        return self.cost("latency_ms")

    @property
    def energy_mj(self) -> Cost:
        """Energy as an objective of a search."""
        return self.cost("energy_mj")

    @property
    def area_mm2(self) -> Cost:
        """Area as an objective of a search."""
        return self.cost("area_mm2")

    def cost(self, name: str) -> Cost:
        """One of `COSTS` as an objective."""
        from predictors.accelerators.table import Column
        from predictors.cost import Cost

        return Cost(name, COSTS[name], Column(self, name), origin="modelled")

    def predict(self, network: Network) -> AcceleratorPrediction:
        """The price of a network, as written or as some runtime fuses it. Raises InputError when it has no operator."""
        if not network.nodes:
            raise InputError(f"network {network.name!r} has no operator: there is nothing to price")
        known: dict[str, OperatorCost] = {}
        for op in network.operators:
            if op.key not in known:
                known[op.key] = self.operator(op)
        prices, kinds = [known[op.key] for op in network.operators], [op.kind for op in network.operators]
        everything = (self.standing, *prices)
        latency, energy, area = (_modelled(math.fsum(getattr(cost, name) for cost in everything)) for name in COSTS)
        memory = _modelled(self.memory_mb(network))
        return AcceleratorPrediction(
            latency, energy, area, memory, network.macs, network.params, self.standing, prices, [node.name for node in network.nodes], kinds
        )

    def memory_mb(self, network: Network) -> float:
        """Weights, and the activations alive at the worst moment, in numbers of `bits` bits (10^6 bytes)."""
        item = max((ITEM_BYTES.get(tensor.dtype, 4.0) for tensor in network.inputs.values()), default=4.0)
        return (network.params + network.peak_activation_bytes / item) * self.bits / 8 / 1e6

    def explain(self, network: Network) -> list[dict[str, Any]]:
        """Where the costs of a network come from, see `AcceleratorPrediction.explain`."""
        return self.predict(network).explain()

    def compile(self, space: Any, lower: Callable[[Network], Network] | None = None) -> CostTable:
        """The latencies of a space as a table; `energy_mj.compile` and `area_mm2.compile` give the others. See `Column.compile`."""
        table: CostTable = self.latency_ms.compile(space, lower)
        return table


def positive(design: Any) -> None:
    """Checks the numbers of a design. Raises InputError that names the first one that is not above 0."""
    for name, value in vars(design).items():
        if isinstance(value, int | float) and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of an accelerator must be above 0, got {value}")


def _modelled(value: float) -> Quantity:
    return Quantity(value, value, value, "modelled")
