"""A network drawn once, layer by layer: the costs are read off the drawing, and the super-network runs it.

So a space cannot be priced as one network and trained as another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.operators import AttributeValue, Network, Tensor

#: Activations by their ONNX names.
ACTIVATIONS = ("Relu", "HardSwish", "HardSigmoid", "Sigmoid")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it does, what it reads, and the shape of its result without the batch dimension.

    Layers of equal name in two architectures share their weights. `columns` are the runs `(first, number)` of the shared input channels
    that a convolution uses, for layers whose inputs are put together from several sources; none means the first ones.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    c_in: int = 0
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    dilation: int = 1
    depthwise: bool = False
    norm: bool = False
    bias: bool = False
    start: int = 0
    columns: tuple[tuple[int, int], ...] = ()


class Blueprint:
    """Draws one network. Every verb takes names of values and returns the name of its result, which is `name`, `<part>/<something>`.

    `input` is the image. A convolution with `norm` is followed by batch-norm, which is folded into it wherever costs are looked at.
    Raises InputError for a name used twice.
    """

    def __init__(self, image: tuple[int, int, int]) -> None:
        self.image = image
        self.shapes: dict[str, tuple[int, ...]] = {"input": image}
        self.layers: list[Layer] = []

    def channels(self, x: str) -> int:
        """The channels (or features) of a value."""
        return self.shapes[x][0]

    def conv(
        self,
        name: str,
        x: str,
        channels: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        depthwise: bool = False,
        norm: bool = True,
        bias: bool = False,
        columns: tuple[tuple[int, int], ...] = (),
    ) -> str:
        """A convolution that keeps height and width but for the stride; kernels are odd. A depthwise one has the channels of its input."""
        size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        c_in, *sides = self.shapes[x]
        if depthwise and channels != c_in:
            raise InputError(f"{name}: a depthwise convolution of {c_in} channels cannot have {channels}")
        out = (channels, *(_side(side, k, stride, dilation * (k // 2), dilation) for side, k in zip(sides, size, strict=True)))
        return self._add(Layer("conv", name, (x,), out, c_in, size, stride, dilation, depthwise, norm, bias, columns=columns))

    def norm(self, name: str, x: str) -> str:
        """A batch-norm that follows no convolution."""
        return self._add(Layer("norm", name, (x,), self.shapes[x]))

    def activation(self, name: str, x: str, kind: str = "Relu") -> str:
        """One of `ACTIVATIONS`."""
        return self._add(Layer(kind, name, (x,), self.shapes[x]))

    def max_pool(self, name: str, x: str, kernel: int, stride: int = 1, *, padded: bool = True) -> str:
        """The largest of a window; height and width stay but for the stride when `padded`."""
        return self._pool("max_pool", name, x, kernel, stride, padded)

    def avg_pool(self, name: str, x: str, kernel: int, stride: int = 1, *, padded: bool = True) -> str:
        """The mean of a window; what lies beyond the border is not counted."""
        return self._pool("avg_pool", name, x, kernel, stride, padded)

    def add(self, name: str, a: str, b: str) -> str:
        """The sum of two values of equal shape."""
        if self.shapes[a] != self.shapes[b]:
            raise InputError(f"{name}: shapes {self.shapes[a]} of {a} and {self.shapes[b]} of {b} cannot be added")
        return self._add(Layer("add", name, (a, b), self.shapes[a]))

    def concat(self, name: str, values: Sequence[str]) -> str:
        """The channels of several values, one after the other; a single value is itself."""
        if len(values) == 1:
            return values[0]
        return self._add(Layer("concat", name, tuple(values), (sum(map(self.channels, values)), *self.shapes[values[0]][1:])))

    def take(self, name: str, x: str, first: int, number: int) -> str:
        """`number` channels from `first`; all of them are the value itself."""
        if (first, number) == (0, self.channels(x)):
            return x
        return self._add(Layer("take", name, (x,), (number, *self.shapes[x][1:]), start=first))

    def widen(self, name: str, x: str, channels: int) -> str:
        """The value with channels of zeros behind its own, until there are `channels`."""
        if channels == self.channels(x):
            return x
        return self._add(Layer("widen", name, (x,), (channels, *self.shapes[x][1:])))

    def zeros(self, name: str, x: str) -> str:
        """Zeros in the shape of a value."""
        return self._add(Layer("zeros", name, (x,), self.shapes[x]))

    def global_pool(self, name: str, x: str) -> str:
        """The mean over height and width, as features."""
        return self._add(Layer("global_pool", name, (x,), (self.channels(x),)))

    def linear(self, name: str, x: str, features: int) -> str:
        """A fully connected layer with bias."""
        return self._add(Layer("linear", name, (x,), (features,), self.channels(x)))

    def network(self, name: str) -> Network:
        """The network for costs, batch 1; its result is that of the last layer."""
        net = NetworkBuilder(name, {"input": Tensor((1, *self.image))})
        values = {"input": "input"}
        for layer in self.layers:
            values[layer.name] = _node(net, layer, [values[x] for x in layer.inputs])
        return net.build(values[self.layers[-1].name])

    def _pool(self, kind: str, name: str, x: str, kernel: int, stride: int, padded: bool) -> str:
        channels, *sides = self.shapes[x]
        pad = kernel // 2 if padded else 0
        out = (channels, *(_side(side, kernel, stride, pad, 1) for side in sides))
        return self._add(Layer(kind, name, (x,), out, kernel=(kernel, kernel), stride=stride, start=pad))

    def _add(self, layer: Layer) -> str:
        if layer.name in self.shapes:
            raise InputError(f"two layers are called {layer.name!r}: every layer of an architecture needs a name of its own")
        if min(layer.shape) < 1:
            raise InputError(f"{layer.name}: nothing is left of an image of {self.image[1]} x {self.image[2]} pixels; use larger images")
        self.shapes[layer.name] = layer.shape
        self.layers.append(layer)
        return layer.name


def _side(side: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    return (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


def _node(net: NetworkBuilder, layer: Layer, inputs: list[str]) -> str:
    """Writes one layer as ONNX and returns the name of its value."""
    name, shape, (x, *_) = layer.name, (1, *layer.shape), inputs
    match layer.kind:
        case "conv":
            return _conv(net, layer, x)
        case "norm":
            weights = {key: Tensor(layer.shape[:1], constant=True) for key in ("weight", "bias", "mean", "variance")}
            return net.node("BatchNormalization", name, (x,), shape, weights)
        case "max_pool" | "avg_pool":
            kind = "MaxPool" if layer.kind == "max_pool" else "AveragePool"
            return net.node(kind, name, (x,), shape, None, kernel_shape=layer.kernel, **_window(layer.start, layer.start, layer.stride))
        case "add":
            return net.add(name, *inputs)
        case "concat":
            return net.node("Concat", name, tuple(inputs), shape, axis=1)
        case "take":
            bounds = {"starts": layer.start, "ends": layer.start + layer.shape[0], "axes": 1}
            return net.node("Slice", name, (x,), shape, {key: _whole((value,)) for key, value in bounds.items()})
        case "widen":
            pads = (0,) * 5 + (layer.shape[0] - net.values[x].shape[1], 0, 0)
            return net.node("Pad", name, (x,), shape, {"pads": _whole(pads)})
        case "zeros":
            return net.node("Sub", name, (x, x), shape)
        case "global_pool":
            return net.flatten(name, net.global_pool(f"{name}.pool", x))
        case "linear":
            return net.linear(name, x, layer.shape[0])
        case "HardSigmoid":
            return net.node("HardSigmoid", name, (x,), shape, alpha=1 / 6)
    return net.activation(name, x, layer.kind)


def _conv(net: NetworkBuilder, layer: Layer, x: str) -> str:
    weights = {"weight": Tensor((layer.shape[0], 1 if layer.depthwise else layer.c_in, *layer.kernel), constant=True)}
    if layer.norm or layer.bias:
        weights["bias"] = Tensor(layer.shape[:1], constant=True)
    attributes = _window(layer.dilation * (layer.kernel[0] // 2), layer.dilation * (layer.kernel[1] // 2), layer.stride)
    if layer.depthwise and layer.c_in > 1:
        attributes["group"] = layer.c_in
    if layer.dilation > 1:
        attributes["dilations"] = (layer.dilation, layer.dilation)
    return net.node("Conv", layer.name, (x,), (1, *layer.shape), weights, kernel_shape=layer.kernel, **attributes)


def _window(rows: int, columns: int, stride: int) -> dict[str, AttributeValue]:
    """The attributes of padding and stride that differ from the neutral ones."""
    attributes: dict[str, AttributeValue] = {"pads": (rows, columns, rows, columns)} if rows or columns else {}
    if stride > 1:
        attributes["strides"] = (stride, stride)
    return attributes


def _whole(values: tuple[int, ...]) -> Tensor:
    return Tensor((len(values),), "int64", constant=True, values=values)


def merge(drawings: Sequence[Blueprint]) -> Mapping[str, Layer]:
    """The layers with weights of several drawings by name, each as large as any drawing needs it."""
    widest: dict[str, Layer] = {}
    for layer in (layer for drawing in drawings for layer in drawing.layers if layer.kind in ("conv", "norm", "linear")):
        widest[layer.name] = _union(widest[layer.name], layer) if layer.name in widest else layer
    return widest


def _union(a: Layer, b: Layer) -> Layer:
    if (a.kind, a.stride, a.dilation, a.depthwise, a.norm, a.bias) != (b.kind, b.stride, b.dilation, b.depthwise, b.norm, b.bias):
        raise InputError(f"layer {a.name} cannot share its weights: it is {a} in one architecture and {b} in another")
    kernel = (max(a.kernel[0], b.kernel[0]), max(a.kernel[1], b.kernel[1]))
    out = (max(a.shape[0], b.shape[0]), *a.shape[1:])
    return Layer(
        a.kind, a.name, a.inputs, out, max(extent(a), extent(b)), kernel, a.stride, a.dilation, a.depthwise, a.norm, a.bias
    )  # fmt: skip


def extent(layer: Layer) -> int:
    """The shared input channels that a layer needs there to be."""
    return max([layer.c_in, *(first + number for first, number in layer.columns)])
