"""The things a campaign times: operators and networks of a plan, the canaries, and the empty call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from device_profiles import protocol
from device_profiles.builder import NetworkBuilder
from device_profiles.graphs import models
from device_profiles.graphs.views import as_in_a_network
from device_profiles.graphs.weights import fill_weights
from device_profiles.operators import Operator, Tensor
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.protocol import Protocol


@dataclass(eq=False)
class Item:
    """Something to time: how its model is made, and the rounds it has so far with their numbers in the campaign.

    `isolated` items hold operators as they are executed, `copies` of them side by side; the others are whole networks.
    `handle` is (generation of the child, session) while it is loaded.
    """

    key: str
    model: Callable[[], bytes]
    isolated: bool
    subject: Operator | WholeNetwork
    copies: int = 1
    rounds: list[list[float]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    handle: tuple[int, int] | None = None
    failed: bool = False

    @property
    def bytes(self) -> float:
        """Memory of its weights and outputs while it is loaded, roughly."""
        if isinstance(self.subject, Operator):
            return self.copies * (self.subject.weight_bytes + self.subject.written_bytes) + self.subject.read_bytes
        return self.subject.executed.weight_bytes + self.subject.executed.peak_activation_bytes

    @property
    def call_ms(self) -> float:
        """Time of one call: the median of the last block, or a guess from sizes before there is one."""
        if self.rounds:
            return self.rounds[-1][1]
        if isinstance(self.subject, Operator):
            return self.copies * protocol.guess_ms(self.subject)
        return self._network_ms

    @cached_property
    def _network_ms(self) -> float:
        assert isinstance(self.subject, WholeNetwork)
        return sum(count * protocol.guess_ms(operator) for operator, count in self.subject.executed.counts())

    @property
    def half_width(self) -> float:
        """Relative half-width of the interval so far."""
        quantity = protocol.estimate(self.rounds)
        return (quantity.high - quantity.low) / 2 / quantity.value


def plan_items(plan: Plan, settings: Protocol) -> list[Item]:
    """The items of a plan in its order; whole networks are spread through the operators, because a short budget needs both."""
    operators = [_operator_item(op.key, op, protocol.copies_for(op, settings)) for op in plan.operators]
    networks = [Item(f"network/{net.name}", partial(fill_weights, net.model), False, net) for net in plan.networks]
    step = max(1, len(operators) // (2 * len(networks))) if networks else 1
    items: list[Item] = list(operators)
    for index, network in enumerate(networks):
        items.insert(min(index * (step + 1), len(items)), network)
    return items


def background_items() -> list[Item]:
    """Timed in every round: first the empty call, then the canaries. If the canaries get slower, the device did.

    One canary is bound by arithmetic, one by memory.
    """
    x, y = Tensor((1, 32, 14, 14)), Tensor((1, 64, 56, 56))
    net = NetworkBuilder("canary", {"x": x, "y": y, "z": y})
    net.conv("conv", "x", 32, 3)
    net.add("add", "y", "z")
    scalar = Tensor((1,))
    return [
        _operator_item("floor", Operator("Identity", (scalar,), (scalar,)), 1),
        *(_operator_item(f"canary/{node.name}", node.operator, 1) for node in net.nodes),
    ]


def _operator_item(key: str, operator: Operator, copies: int) -> Item:
    return Item(key, partial(models.operator_model, as_in_a_network(operator), copies), True, operator, copies)


def by_key(*groups: Sequence[Item]) -> dict[str, Item]:
    """The items of all groups by their keys."""
    return {item.key: item for group in groups for item in group}
