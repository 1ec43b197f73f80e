"""Writing a `Network` down by hand: a few verbs that compute the shapes."""

from __future__ import annotations

from collections.abc import Mapping

from device_profiles.operators import AttributeValue, Network, Node, Operator, Tensor


class NetworkBuilder:
    """Builds a `Network` of standard ONNX operators, one verb per operator.

    Every verb takes the names of its input values and returns the name of its output; `scope` is put before the names of nodes, of
    weights and of produced values.
    """

    def __init__(self, name: str, inputs: Mapping[str, Tensor]) -> None:
        self.name = name
        self.inputs = dict(inputs)
        self.values: dict[str, Tensor] = dict(inputs)
        self.nodes: list[Node] = []

    def node(
        self,
        kind: str,
        name: str,
        inputs: tuple[str, ...],
        output: tuple[int, ...],
        constants: Mapping[str, Tensor] | None = None,
        **attributes: AttributeValue,
    ) -> str:
        """Adds any single-output operator: `constants` follow `inputs`, in order. Returns the name of the output value."""
        tensors = [self.values[value] for value in inputs]
        names = list(inputs)
        for suffix, tensor in (constants or {}).items():
            names.append(f"{name}.{suffix}")
            tensors.append(tensor)
        result = Tensor(output, tensors[0].dtype)
        operator = Operator(kind, tuple(tensors), (result,), tuple(sorted(attributes.items())))
        self.nodes.append(Node(operator, name, tuple(names), (f"{name}.out",)))
        self.values[f"{name}.out"] = result
        return f"{name}.out"

    def conv(self, name: str, x: str, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
        """A square convolution with bias and `kernel // 2` zeros on every side."""
        batch, c_in, height, width = self.values[x].shape
        pad = kernel // 2
        shape = (batch, channels, (height + 2 * pad - kernel) // stride + 1, (width + 2 * pad - kernel) // stride + 1)
        weights = {"weight": Tensor((channels, c_in // groups, kernel, kernel), constant=True), "bias": Tensor((channels,), constant=True)}
        extra: dict[str, AttributeValue] = {}
        if groups > 1:
            extra["group"] = groups
        if pad:
            extra["pads"] = (pad,) * 4
        if stride > 1:
            extra["strides"] = (stride, stride)
        return self.node("Conv", name, (x,), shape, weights, kernel_shape=(kernel, kernel), **extra)

    def activation(self, name: str, x: str, kind: str = "Relu") -> str:
        """An element-wise operator of one input."""
        return self.node(kind, name, (x,), self.values[x].shape)

    def add(self, name: str, a: str, b: str) -> str:
        """The sum of two values of equal shape."""
        return self.node("Add", name, (a, b), self.values[a].shape)

    def global_pool(self, name: str, x: str) -> str:
        """The mean over height and width, kept as 1 x 1."""
        return self.node("GlobalAveragePool", name, (x,), (*self.values[x].shape[:2], 1, 1))

    def flatten(self, name: str, x: str) -> str:
        """All but the batch dimension in one."""
        batch, *rest = self.values[x].shape
        size = 1
        for d in rest:
            size *= d
        return self.node("Flatten", name, (x,), (batch, size))

    def linear(self, name: str, x: str, features: int) -> str:
        """A fully connected layer with bias, weights as `(features, inputs)`."""
        batch, inputs = self.values[x].shape
        weights = {"weight": Tensor((features, inputs), constant=True), "bias": Tensor((features,), constant=True)}
        return self.node("Gemm", name, (x,), (batch, features), weights, transB=1)

    def build(self, *outputs: str) -> Network:
        """The network with these results."""
        return Network(tuple(self.nodes), self.inputs, outputs, self.name)
