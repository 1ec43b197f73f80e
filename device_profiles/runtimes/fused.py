"""From what a runtime says about its kernels to the network that it executes: each kernel is a group of nodes of the source.

A runtime names layers of the source that went into a kernel, not always all of them: what it had rewritten before (a folded
normalisation) is found from the flow of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from device_profiles.errors import RuntimeFailure
from device_profiles.graphs.groups import group, inputs_of
from device_profiles.operators import Network, Node


@dataclass(frozen=True)
class Kernel:
    """One kernel of a runtime.

    `layers`: names of nodes of the source, or of their results, that went into it; `sources`: (kernel, output) that each input comes
    from; `layouts`: how each output lies in memory (`acdb`); `type`: what the runtime calls it.
    """

    type: str
    layers: tuple[str, ...]
    sources: tuple[tuple[int, int], ...]
    layouts: tuple[str, ...]

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Kernel:
        """From the JSON that the child sends."""
        layers, sources, layouts = data["layers"], data["sources"], data["layouts"]
        assert isinstance(layers, list)
        assert isinstance(sources, list)
        assert isinstance(layouts, list)
        return cls(str(data["type"]), tuple(map(str, layers)), tuple((int(k), int(o)) for k, o in sources), tuple(map(str, layouts)))


#: Kinds that hand on what they get; every runtime leaves them out.
PASSED_ON = frozenset({"Identity", "Dropout"})


def without_passes(source: Network) -> Network:
    """The network without nodes that hand on what they get, unless what they hand on is a result."""
    return _without_passes(source)[0]


def _without_passes(source: Network) -> tuple[Network, dict[str, str]]:
    """Also for the names of the nodes left out, and of what they gave, the value they handed on."""
    same: dict[str, str] = {}
    kept: list[Node] = []
    for node in source.nodes:
        inputs = tuple(same.get(name, name) for name in node.inputs)
        if node.operator.kind in PASSED_ON and not set(node.outputs) & set(source.outputs):
            same.update(dict.fromkeys((node.name, *_result_names(node)), inputs[0]))
        else:
            kept.append(Node(node.operator, node.name, inputs, node.outputs))
    return Network(tuple(kept), source.inputs, source.outputs, source.name, source.metadata), same


def fused_network(source: Network, kernels: Sequence[Kernel], runtime: str) -> Network:
    """The executed network of `runtime`, whose nodes are groups of nodes of `source`.

    A change of layout belongs to the first kernel that reads what it changes. Raises DeviceError when the kernels cannot be run in any
    order.
    """
    source, same = _without_passes(source)
    kernels = [replace(kernel, layers=tuple(same.get(layer, layer) for layer in kernel.layers)) for kernel in kernels]
    owner = _owners(source, kernels)
    members: dict[int, list[Node]] = {}
    for index, node in enumerate(source.nodes):
        members.setdefault(owner[index], []).append(node)
    maker = {value: owner[index] for index, node in enumerate(source.nodes) for value in node.outputs}
    layouts = _Layouts(source, kernels)
    readers: dict[str, set[int]] = {}
    for index, node in enumerate(source.nodes):
        for value in node.inputs:
            readers.setdefault(value, set()).add(owner[index])
    nodes = []
    for name in _in_order(members, maker):
        inside = members[name]
        made = [value for node in inside for value in node.outputs]
        outputs = [value for value in made if readers.get(value, set()) - {name} or value in source.outputs] or made[-1:]
        variable = [value for value in inputs_of(inside) if value in maker or value in source.inputs]
        described = [layouts.read(value, made) for value in variable] + [layouts.made(value) for value in outputs]
        nodes.append(group(runtime, inside, outputs, described))
    return Network(tuple(nodes), source.inputs, source.outputs, source.name, source.metadata)


def _result_names(node: Node) -> dict[str, str]:
    """What a layer that makes one of the results of a node may be called, with the value it makes."""
    return {name: value for value in node.outputs for name in (value, f"{node.name}_{value}")}


def _owners(source: Network, kernels: Sequence[Kernel]) -> list[int]:
    """For every node of the source the number of the group it runs in."""
    number = {node.name: index for index, node in enumerate(source.nodes)}
    number.update({layer: index for index, node in enumerate(source.nodes) for layer in _result_names(node)})
    owner: dict[int, int] = {}
    for kernel_index, kernel in enumerate(kernels):
        found = [number[layer] for layer in kernel.layers if layer in number]
        known = {owner[index] for index in found if index in owner}  # one node that became several kernels: they are one group
        owner.update(dict.fromkeys(found, kernel_index))
        owner.update({index: kernel_index for index, group_ in owner.items() if group_ in known})
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(source.nodes):
        for value in node.inputs:
            readers.setdefault(value, []).append(index)
    for index in range(len(source.nodes) - 1, -1, -1):
        if index not in owner:
            node = source.nodes[index]
            after = {owner.get(reader) for value in node.outputs for reader in readers.get(value, ())}
            is_result = bool(set(node.outputs) & set(source.outputs))
            only = after.pop() if len(after) == 1 and not is_result else None
            if only is not None:
                owner[index] = only
    for index, node in enumerate(source.nodes):
        if index not in owner:
            before = {owner[number[value]] for value in node.inputs if value in number}
            owner[index] = before.pop() if len(before) == 1 else len(kernels) + index
    return [owner[index] for index in range(len(source.nodes))]


def _in_order(members: Mapping[int, Sequence[Node]], maker: Mapping[str, int]) -> Iterable[int]:
    """The groups in an order in which they can run."""
    graph = {
        name: {maker[value] for node in nodes for value in node.inputs if maker.get(value, name) != name} for name, nodes in members.items()
    }
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise RuntimeFailure("the runtime's kernels cannot be told apart: two of them each need the other's results") from error


class _Layouts:
    """How values lie in memory where they are made and where they are read."""

    def __init__(self, source: Network, kernels: Sequence[Kernel]) -> None:
        self.kernels = kernels
        self.ranks = {name: len(tensor.shape) for name, tensor in source.inputs.items()}
        self.ranks.update({n: len(t.shape) for node in source.nodes for n, t in zip(node.outputs, node.operator.outputs, strict=True)})
        self.kernel_of: dict[str, int] = {}
        self.output_of: dict[str, int] = {}
        names = {node.name: node.outputs for node in source.nodes}
        results = {layer: value for node in source.nodes for layer, value in _result_names(node).items()}
        for index, kernel in enumerate(kernels):
            for layer in kernel.layers:
                for position, value in enumerate(names.get(layer, (results.get(layer, layer),))):
                    self.kernel_of[value], self.output_of[value] = index, position
        self.paid: set[int] = set()

    def made(self, value: str) -> str:
        """The layout in which a value is made."""
        kernel = self.kernel_of.get(value)
        return self._text(value, None if kernel is None else (kernel, self.output_of[value]))

    def read(self, value: str, made: Iterable[str]) -> str:
        """The layout in which the group that makes `made` reads a value: as it was made if the group pays for changing it."""
        start = self.kernel_of.get(value)
        for reader in {self.kernel_of[name] for name in made if name in self.kernel_of}:
            for kernel, output in self.kernels[reader].sources:
                at, changes = kernel, []
                while self.kernels[at].type == "Reorder" and not self.kernels[at].layers and self.kernels[at].sources:
                    changes.append(at)
                    at = self.kernels[at].sources[0][0]
                if at == start:
                    if changes and not self.paid.issuperset(changes):
                        self.paid.update(changes)
                        return self.made(value)
                    return self._text(value, (kernel, output))
        return self.made(value)

    def _text(self, value: str, place: tuple[int, int] | None) -> str:
        rank = self.ranks[value]
        in_order = "".join(chr(ord("a") + d) for d in range(rank))
        if place is None or place[1] >= len(self.kernels[place[0]].layouts):
            return in_order
        layout = self.kernels[place[0]].layouts[place[1]]
        return layout if sorted(set(layout.lower()) & set(in_order)) == list(in_order) else in_order
