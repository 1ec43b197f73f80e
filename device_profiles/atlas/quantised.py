"""Networks in eight bits, as static quantisation writes them: every tensor passes through QuantizeLinear and DequantizeLinear (QDQ).

The runtime decides which of these become integer kernels. Scales are all alike: they decide what is computed, not how long it takes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from device_profiles.operators import Network, Node, Operator, Tensor

#: Operators that have kernels in eight bits, or that pass eight bits through.
KINDS = (
    "Conv", "Gemm", "MatMul", "Add", "Mul", "Sigmoid", "Softmax", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat",
    "Reshape", "Transpose", "Flatten", "Split",
)  # fmt: skip

#: Functions that the range of the eight bits computes by itself, right behind these operators.
_CLIPPING, _CLIPPED = ("Relu", "Clip"), ("Conv", "Gemm", "Add")

#: Scales of activations, of weights, and of the sums of their products.
_ACTIVATION, _WEIGHT, _SUM = 0.02, 0.01, 0.0002


def quantised(network: Network) -> Network:
    """The same network of float operators in QDQ form: activations uint8, weights int8, both per tensor, biases int32."""
    nodes, outputs = _without_clipping(network)
    passing = {name for node in nodes if _in_eight_bits(node) for name in _values(node)}
    written: list[Node] = []
    shown = {name: _through(written, name, tensor) for name, tensor in network.inputs.items() if name in passing}
    for node in nodes:
        written.append(_reading(written, node, shown))
        for name, tensor in zip(node.outputs, node.operator.outputs, strict=True):
            if name in passing:
                shown[name] = _through(written, name, tensor)
    return Network(tuple(written), network.inputs, tuple(shown.get(name, name) for name in outputs), f"{network.name}, int8")


def _without_clipping(network: Network) -> tuple[list[Node], list[str]]:
    """The nodes without the activations that quantising makes superfluous, and the names of the results."""
    readers = Counter(name for node in network.nodes for name in node.inputs)
    maker = {name: node.operator.kind for node in network.nodes for name in node.outputs}
    renamed: dict[str, str] = {}
    kept = []
    for node in network.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        if node.operator.kind in _CLIPPING and maker.get(node.inputs[0]) in _CLIPPED and readers[node.inputs[0]] == 1:
            renamed[node.outputs[0]] = inputs[0]
        else:
            kept.append(replace(node, inputs=inputs))
    return kept, [renamed.get(name, name) for name in network.outputs]


def _in_eight_bits(node: Node) -> bool:
    """Whether a node reads and writes eight bits; one that adds or multiplies by a number of its own stays as it is."""
    own = any(t is not None and t.constant and t.values is not None and t.dtype == "float32" for t in node.operator.inputs)
    return node.operator.kind in KINDS and not own


def _values(node: Node) -> list[str]:
    """The names of what a node reads and writes, without constants."""
    tensors = zip(node.inputs, node.operator.inputs, strict=True)
    return [name for name, t in tensors if t is not None and not t.constant and t.dtype == "float32"] + list(node.outputs)


def _through(written: list[Node], name: str, tensor: Tensor) -> str:
    """An activation to eight bits and back; returns the name of what came back."""
    small, constants = Tensor(tensor.shape, "uint8"), (_scale(_ACTIVATION), Tensor((), "uint8", True, (128,)))
    names = (f"{name}.scale", f"{name}.zero")
    written.append(Node(Operator("QuantizeLinear", (tensor, *constants), (small,)), f"{name}.q", (name, *names), (f"{name}.q",)))
    written.append(_back(name, f"{name}.q", small, names, constants))
    return f"{name}.dq"


def _back(name: str, source: str, small: Tensor, names: tuple[str, ...], constants: tuple[Tensor, ...]) -> Node:
    operator = Operator("DequantizeLinear", (small, *constants), (Tensor(small.shape),))
    return Node(operator, f"{name}.dq", (source, *names), (f"{name}.dq",))


def _reading(written: list[Node], node: Node, shown: dict[str, str]) -> Node:
    """A node that reads what came back from eight bits, its weights too."""
    names, tensors = list(node.inputs), list(node.operator.inputs)
    for i, (name, tensor) in enumerate(zip(node.inputs, node.operator.inputs, strict=True)):
        if tensor is None or not tensor.constant:
            names[i] = shown.get(name, name)
        elif _in_eight_bits(node) and tensor.dtype == "float32":
            is_sum = node.operator.kind in ("Conv", "Gemm") and len(tensor.shape) == 1
            small = Tensor(tensor.shape, "int32" if is_sum else "int8", constant=True)
            constants = (_scale(_SUM),) if is_sum else (_scale(_WEIGHT), Tensor((), "int8", True, (0,)))
            written.append(_back(name, f"{name}.q", small, (f"{name}.scale", f"{name}.zero")[: len(constants)], constants))
            names[i], tensors[i] = f"{name}.dq", Tensor(tensor.shape)
    return Node(replace(node.operator, inputs=tuple(tensors)), node.name, tuple(names), node.outputs)


def _scale(value: float) -> Tensor:
    return Tensor((), constant=True, values=(value,))
