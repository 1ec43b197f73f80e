"""An ONNX model as a torch module: one torch call per node, in a straight line, weights as buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from device_profiles.errors import DeviceError
from device_profiles.graphs.graph import parse
from device_profiles.graphs.messages import GraphProto, ModelProto, ValueInfoProto
from device_profiles.graphs.models import OPSET
from device_profiles.graphs.tensors import to_array
from device_profiles.operators import Network
from device_profiles.runtimes.executed import written_network
from device_profiles.runtimes.fused import without_passes
from device_profiles.runtimes.torch_ops import TRANSLATIONS, Call


def torch_module(data: bytes) -> tuple[torch.nn.Module, Network]:
    """The module for an ONNX model, which takes its inputs in order and returns a tuple of its outputs; and its network.

    Raises InputError when the model cannot be read and DeviceError when it holds a kind of node that is not translated.
    """
    network = without_passes(written_network(data))
    unknown = sorted({op.kind for op in network.operators if op.kind not in TRANSLATIONS})
    if unknown:
        raise DeviceError(f"{', '.join(unknown)}: not among the {len(TRANSLATIONS)} kinds of ONNX nodes that are translated for torch")
    proto = parse(data)
    opset = next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), OPSET)
    root, graph = torch.nn.Module(), torch.fx.Graph()
    tracer = torch.fx.proxy.GraphAppendingTracer(graph)

    def keep(tensor: torch.Tensor) -> torch.fx.Proxy:
        """A constant of the module, as a value of the graph."""
        name = f"constant{len(list(root.named_buffers()))}"
        root.register_buffer(name, tensor)
        return torch.fx.Proxy(graph.get_attr(name), tracer)

    values: dict[str, Any] = {name: torch.fx.Proxy(graph.placeholder(f"x{index}"), tracer) for index, name in enumerate(network.inputs)}
    for name, array in _weights(proto, network).items():
        values[name] = keep(torch.from_numpy(np.array(array)))
    for node in network.nodes:
        call = Call(node.operator, opset, keep)
        result = TRANSLATIONS[node.operator.kind](call, *(values[name] if name else None for name in node.inputs))
        if node.operator.kind == "Split":
            values.update({name: result[index] for index, name in enumerate(node.outputs)})
        else:
            values[node.outputs[0]] = result
    graph.output(tuple(values[name].node for name in network.outputs))
    graph.eliminate_dead_code()  # constants that were read when the graph was made, not when it runs
    return torch.fx.GraphModule(root, graph).eval(), network


def _weights(proto: ModelProto, network: Network) -> dict[str, npt.NDArray[Any]]:
    """The constants that the nodes read: initialisers, and what depends on constants alone."""
    produced = {name for node in network.nodes for name in node.outputs} | set(network.inputs)
    wanted = dict.fromkeys(name for node in network.nodes for name in node.inputs if name and name not in produced)
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    found = {name: to_array(stored[name]) for name in wanted if name in stored}
    missing = [name for name in wanted if name not in stored]
    if missing:
        found.update(zip(missing, _computed(proto, missing), strict=True))
    return {name: found[name] for name in wanted}


def _computed(proto: ModelProto, names: list[str]) -> list[npt.NDArray[Any]]:
    """The values that nodes make of constants alone, by the reference implementation of the onnx package."""
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator
    except ModuleNotFoundError as error:
        raise DeviceError(f"{names[0]!r} is computed from constants, which needs the package onnx: pip install onnx") from error
    model = onnx.load_model_from_string(_constant_part(proto, names))
    return [np.asarray(array) for array in ReferenceEvaluator(model).run(names, {})]


def _constant_part(proto: ModelProto, names: list[str]) -> bytes:
    """The model of nothing but the nodes that `names` depend on."""
    maker = {output: index for index, node in enumerate(proto.graph.node) for output in node.output}
    needed: set[int] = set()
    queue = list(names)
    while queue:
        index = maker.get(queue.pop())
        if index is not None and index not in needed:
            needed.add(index)
            queue.extend(proto.graph.node[index].input)
    nodes = [proto.graph.node[index] for index in sorted(needed)]
    read = {name for node in nodes for name in node.input}
    graph = GraphProto(node=nodes, name="constants", initializer=[tensor for tensor in proto.graph.initializer if tensor.name in read])
    graph.output = [ValueInfoProto(name=name) for name in names]
    return ModelProto(ir_version=proto.ir_version, graph=graph, opset_import=proto.opset_import).encode()
