"""What to measure, in which order: the distinct executed operators of a set of networks, and some of the networks whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from device_profiles.operators import Network, Operator
from device_profiles.protocol import guess_ms


@dataclass(frozen=True)
class WholeNetwork:
    """A network to be timed whole: its ONNX model, and the network that the runtime executes for it."""

    name: str
    model: bytes
    executed: Network


@dataclass(frozen=True)
class Plan:
    """Items in the order in which a campaign takes them; stopping anywhere leaves what matters most measured."""

    operators: tuple[Operator, ...]
    networks: tuple[WholeNetwork, ...]


def make_plan(executed: Iterable[Network], networks: Sequence[WholeNetwork] = ()) -> Plan:
    """The plan for a set of executed networks.

    Distinct operators come in the order of the time they are guessed to take over all networks, the largest first: they carry most of
    what a prediction has to get right.
    """
    weight: dict[str, float] = {}
    first: dict[str, Operator] = {}
    for network in executed:
        for operator, count in network.counts():
            first.setdefault(operator.key, operator)
            weight[operator.key] = weight.get(operator.key, 0.0) + count * guess_ms(operator)
    ordered = sorted(first, key=lambda key: (-weight[key], key))
    return Plan(tuple(first[key] for key in ordered), tuple(networks))


def spread(networks: Sequence[WholeNetwork], count: int) -> list[WholeNetwork]:
    """`count` of the networks, evenly spaced in guessed time from the cheapest to the dearest."""
    ordered = sorted(networks, key=lambda n: (sum(guess_ms(op) for op in n.executed.operators), n.name))
    if len(ordered) <= count or count < 2:
        return ordered[: max(count, 0)]
    return [ordered[round(i * (len(ordered) - 1) / (count - 1))] for i in range(count)]
