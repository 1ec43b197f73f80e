"""What the child says about an executed model, made into a `Network`."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from device_profiles.graphs import graph
from device_profiles.graphs.messages import NodeProto
from device_profiles.graphs.wire import strip_weights
from device_profiles.operators import Network, Tensor
from device_profiles.runtimes.fused import Kernel, fused_network, without_passes


def executed_network(runtime: str, reply: Mapping[str, Any], optimised: bytes, source: bytes, name: str) -> Network:
    """The executed network, from the child's answer (see `base.Executed`) and the model that it was asked about."""
    if reply["form"] == "optimised":
        return _optimised(reply["details"]["shapes"], optimised, name)
    written = written_network(source, name)
    if reply["form"] == "source":
        return without_passes(written)
    return fused_network(written, [Kernel.of(kernel) for kernel in reply["details"]["kernels"]], runtime)


def written_network(source: bytes, name: str = "network") -> Network:
    """The network of a model as it is written, nothing fused.

    Shapes are inferred where the onnx package is; on a target without it the model must state them, as those of a kit do.
    """
    if importlib.util.find_spec("onnx") is None:
        proto = graph.parse(strip_weights(source))
        return graph.graph_network(proto, graph.known_tensors(proto), name)
    from device_profiles.onnx_io import read_network

    written = read_network(source)
    return Network(written.nodes, written.inputs, written.outputs, name)


def _optimised(shapes: Mapping[str, Any], model: bytes, name: str) -> Network:
    proto = graph.parse(model)
    _name_inlined(proto.graph.node, shapes)
    known: dict[str, Tensor] = {}
    for node in proto.graph.node:
        produced = [output for output in node.output if output]
        for output, (dtype, shape) in zip(produced, shapes.get(node.name, []), strict=False):
            known[output] = Tensor(tuple(shape), dtype)
    inputs = {value.name for value in proto.graph.input}
    known.update({n: t for n, t in graph.known_tensors(proto).items() if n in inputs})
    return graph.graph_network(proto, known, name)


def _name_inlined(nodes: Sequence[NodeProto], told: Iterable[str]) -> None:
    """Gives nodes without a name the one under which the runtime tells of them: their type and a number.

    Such nodes come from operators that the runtime replaces by what they are made of; model and runtime list them in the same order.
    """
    named = {node.name for node in nodes}
    spare: dict[str, deque[str]] = {}
    for name in told:
        kind, _, number = name.rpartition("_")
        if name not in named and number.isdecimal():
            spare.setdefault(kind, deque()).append(name)
    for node in nodes:
        if not node.name and spare.get(node.op_type):
            node.name = spare[node.op_type].popleft()
