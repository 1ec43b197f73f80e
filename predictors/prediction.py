"""What a predictor says about one network, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from device_profiles.errors import InputError
from device_profiles.operators import Network
from device_profiles.quantity import Quantity
from predictors.estimator import Vector
from predictors.head import Doubt, ResidualHead, head_terms
from predictors.pricing import OperatorPrice


@dataclass(frozen=True)
class Prediction:
    """The price of one network, and the prices of its operators that it was made of.

    `operators[i]` is the price of the kernel of node `nodes[i]` by itself; `head` says what it adds to a network. `macs` and `params` are
    those of the network that was priced; `memory_mb` is the peak of its activations plus its weights (10^6 bytes).
    """

    latency_ms: Quantity
    memory_mb: Quantity
    macs: int
    params: int
    operators: list[OperatorPrice]
    nodes: list[str]
    head: ResidualHead
    #: None where the profile of the device holds no energy.
    energy_mj: Quantity | None = None

    @classmethod
    def of(cls, network: Network, prices: list[OperatorPrice], head: ResidualHead, doubt: Doubt) -> Prediction:
        """Adds up the prices of the operators of an executed network, in the order of its nodes. Raises InputError when it has none."""
        if not prices:
            raise InputError(f"network {network.name!r} executes no operator: there is nothing to price")
        added = _added(head, prices).tolist()
        doubts = math.fsum(head.scale * price.value * price.half_width for price in prices)
        latency = doubt.interval(math.fsum([head.call_ms, *added]), doubts)
        memory = (network.peak_activation_bytes + network.weight_bytes) / 1e6
        names = [node.name for node in network.nodes]
        return cls(latency, Quantity(memory, memory, memory, "modelled"), network.macs, network.params, prices, names, head)

    def explain(self) -> list[dict[str, Any]]:
        """One row per node, and first the call itself; `math.fsum` of their `latency_ms` is the total to the last bit.

        `kernel_ms` is the kernel by itself, `latency_ms` what it adds to this network, `low_ms` and `high_ms` its 90 % interval, `share`
        its share of the total; `source` is one of `SOURCES` (`head` for the call), `flags` what a reader must know.
        """
        call, total = self.head.call_ms, self.latency_ms.value
        first: dict[str, Any] = {
            "node": "(call)", "kind": "", "latency_ms": call, "low_ms": call, "high_ms": call, "share": call / total, "kernel_ms": 0.0,
            "source": "head", "flags": [], "macs": 0, "key": "",
        }  # fmt: skip
        rows = zip(self.nodes, self.operators, _added(self.head, self.operators).tolist(), strict=True)
        return [first, *(self._row(name, price, value, total) for name, price, value in rows)]

    def _row(self, name: str, price: OperatorPrice, value: float, total: float) -> dict[str, Any]:
        low, high = (value + self.head.scale * (end - price.value) for end in (price.low, price.high))
        op = price.operator
        return {
            "node": name, "kind": op.kind, "latency_ms": value, "low_ms": low, "high_ms": high, "share": value / total,
            "kernel_ms": price.value, "source": price.source, "flags": list(price.flags), "macs": op.macs, "key": op.key,
        }  # fmt: skip

    def sources(self) -> dict[str, float]:
        """The share of the latency by where its price comes from, largest first; the shares add up to 1."""
        shares: dict[str, float] = {}
        for row in self.explain():
            shares[row["source"]] = shares.get(row["source"], 0.0) + row["share"]
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))

    def notes(self) -> list[str]:
        """What a reader must know, one line per flag of an operator with the share of the latency that it concerns, largest first."""
        shares: dict[str, float] = {}
        for row in self.explain():
            for flag in row["flags"]:
                shares[flag] = shares.get(flag, 0.0) + row["share"]
        return [f"{flag}: {share:.1%} of the latency" for flag, share in sorted(shares.items(), key=lambda item: (-item[1], item[0]))]

    def to_json(self, explain: bool = False) -> dict[str, Any]:
        """The JSON object that every `--json` output shows; with `explain` also `operators`, the rows of `explain()`."""
        data = {
            "latency_ms": self.latency_ms.to_json(), "memory_mb": self.memory_mb.to_json(), "macs": self.macs, "params": self.params,
            "sources": self.sources(), "notes": self.notes(),
        }  # fmt: skip
        if self.energy_mj is not None:
            data["energy_mj"] = self.energy_mj.to_json()
        return {**data, "operators": self.explain()} if explain else data

    def to_dataframe(self) -> Any:
        """The rows of `explain()` as a pandas DataFrame. Raises InputError when pandas is not installed."""
        return dataframe(self.explain())


def _added(head: ResidualHead, prices: list[OperatorPrice]) -> Vector:
    """What every operator adds to the latency of its network, `(n,)`."""
    return head.node_ms(head_terms([price.operator for price in prices], [price.value for price in prices]))


def dataframe(rows: list[dict[str, Any]]) -> Any:
    """Rows as a pandas DataFrame. Raises InputError when pandas is not installed."""
    try:
        import pandas  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("a DataFrame needs pandas: pip install pandas") from error
    return pandas.DataFrame(rows)
