"""Which part of a space an executed node belongs to, when the runtime has fused, renamed and inserted nodes."""

from __future__ import annotations

from collections.abc import Iterable

from device_profiles.errors import InputError
from device_profiles.operators import Network, Node

#: Changes of layout that onnxruntime inserts before a kernel that wants another one than the kernel before it gives.
INSERTED = ("nchwc.ReorderInput", "nchwc.ReorderOutput")


def assign(executed: Network, parts: Iterable[str]) -> list[str]:
    """The part of every node of an executed network, in order.

    The nodes and values of the network as written were named `<part>/<something>`. A fused node mostly keeps the name of one that went into
    it; a node that the runtime inserted does not, but its reader, its output, its weights or its producer tell. Raises InputError
    for a node for which nothing tells: it would be left out of every price.
    """
    names = set(parts)
    found = [None if node.operator.kind in INSERTED else _by_names(node, names) for node in executed.nodes]
    for index in range(len(executed.nodes) - 1, -1, -1):
        if executed.nodes[index].operator.kind in INSERTED:
            # Whether a value is brought into another layout is decided by who reads it, not by who made it.
            found[index] = _consumer(executed, index, found) or _by_names(executed.nodes[index], names)
    producer = {value: index for index, node in enumerate(executed.nodes) for value in node.outputs}
    for index, node in enumerate(executed.nodes):  # in running order, so that a producer is known before its consumer
        if found[index] is None and node.inputs and node.inputs[0] in producer:
            found[index] = found[producer[node.inputs[0]]]
    for index in range(len(executed.nodes) - 1, -1, -1):
        if found[index] is None:
            found[index] = _consumer(executed, index, found)
    for index, part in enumerate(found):
        if part is None:
            raise InputError(
                f"executed node {executed.nodes[index].name!r} ({executed.nodes[index].operator.kind}) belongs to no part of the space; "
                "nodes of space.network() must be named '<part>/<something>'"
            )
    return [part for part in found if part is not None]


def part_of(name: str, parts: set[str]) -> str | None:
    """The part that a name starts with, up to any of its slashes; None when it starts with none."""
    end = name.rfind("/")
    while end > 0:
        if name[:end] in parts:
            return name[:end]
        end = name.rfind("/", 0, end)
    return None


def _by_names(node: Node, parts: set[str]) -> str | None:
    """By the names of the results, then of the node, then of the weights."""
    weights = (name for name, tensor in zip(node.inputs, node.operator.inputs, strict=True) if tensor is not None and tensor.constant)
    for name in (*node.outputs, node.name, *weights):
        part = part_of(name, parts)
        if part is not None:
            return part
    return None


def _consumer(executed: Network, index: int, found: list[str | None]) -> str | None:
    for later in range(index + 1, len(executed.nodes)):
        if set(executed.nodes[index].outputs) & set(executed.nodes[later].inputs):
            return found[later]
    return None
