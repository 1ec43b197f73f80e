"""What to measure, in which order: the distinct executed operators of a set of networks, and some of the networks whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from device_profiles.operators import Network, Operator
from device_profiles.protocol import guess_ms

#: How far, in octaves of work or traffic, a measurement says most of what there is to know about a kernel of the same form.
_OCTAVES = 1.0

#: What is left to learn about an operator at the very least, until it is measured itself.
_LEAST = 0.35


@dataclass(frozen=True)
class WholeNetwork:
    """A network to be timed whole: its ONNX model, and the network that the runtime executes for it."""

    name: str
    model: bytes
    executed: Network


@dataclass(frozen=True)
class Plan:
    """Items in the order in which a campaign takes them; stopping anywhere leaves what matters most measured.

    Raises InputError for two networks of one name, which a profile could not tell apart.
    """

    operators: tuple[Operator, ...]
    networks: tuple[WholeNetwork, ...]

    def __post_init__(self) -> None:
        names = Counter(network.name for network in self.networks)
        twice = next((name for name, count in names.items() if count > 1), None)
        if twice is not None:
            raise InputError(f"two networks are called {twice}; give each a name of its own")


def make_plan(executed: Iterable[Network], networks: Sequence[WholeNetwork] = ()) -> Plan:
    """The plan for a set of executed networks: their distinct operators, in the order that lowers the error of their prices fastest.

    The next operator is always the one with the most left to learn: its share of the guessed time of a network (on average over the
    networks, so that small ones count as much as large ones) times how little the operators before it say about it. Nothing is known
    about a kind that was not measured yet; of a kind that was, the less, the further its sizes are from the nearest measured ones.
    """
    share: dict[str, float] = {}
    first: dict[str, Operator] = {}
    for network in executed:
        counts = network.counts()
        total = sum(count * guess_ms(operator) for operator, count in counts)
        for operator, count in counts:
            first.setdefault(operator.key, operator)
            share[operator.key] = share.get(operator.key, 0.0) + count * guess_ms(operator) / total
    operators = [first[key] for key in sorted(first)]
    order = _most_to_learn(operators, np.array([share[operator.key] for operator in operators]))
    return Plan(tuple(operators[index] for index in order), tuple(networks))


def _most_to_learn(operators: Sequence[Operator], share: npt.NDArray[np.float64]) -> list[int]:
    """Greedy order: a row of distances is computed for each operator taken, so that `n` operators cost `n * n` steps."""
    if not operators:
        return []
    alike: dict[tuple[object, ...], int] = {}
    group = np.array([alike.setdefault(_form(operator), len(alike)) for operator in operators])
    sizes = np.array([_sizes(operator) for operator in operators])
    unknown, open_ = np.ones(len(operators)), np.ones(len(operators), dtype=bool)
    order = []
    for _ in operators:
        chosen = int(np.argmax(np.where(open_, share * unknown, -1.0)))
        order.append(chosen)
        open_[chosen] = False
        near = 1 - np.exp(-np.abs(sizes - sizes[chosen]).max(axis=1) / _OCTAVES)
        unknown = np.where(group == group[chosen], np.minimum(unknown, np.maximum(near, _LEAST)), unknown)
    return order


def _form(operator: Operator) -> tuple[object, ...]:
    """What makes two operators the same kernel on other sizes."""
    weight = operator.inputs[1].shape[2:] if len(operator.inputs) > 1 and operator.inputs[1] is not None else ()
    return operator.kind, weight, operator.attribute("strides"), operator.attribute("group", 1) > 1, len(operator.inputs)


def _sizes(operator: Operator) -> tuple[float, float, float]:
    """Work and traffic in octaves."""
    return math.log2(1 + operator.macs), math.log2(1 + operator.read_bytes), math.log2(1 + operator.written_bytes)


def spread(networks: Sequence[WholeNetwork], count: int) -> list[WholeNetwork]:
    """`count` of the networks, evenly spaced in guessed time from the cheapest to the dearest."""
    ordered = sorted(networks, key=lambda n: (sum(guess_ms(op) for op in n.executed.operators), n.name))
    if len(ordered) <= count or count < 2:
        return ordered[: max(count, 0)]
    return [ordered[round(i * (len(ordered) - 1) / (count - 1))] for i in range(count)]
