"""Writing networks down as exporters do: verbs for layers, named by themselves, with the ONNX operators that real files hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count

from device_profiles.builder import NetworkBuilder
from device_profiles.operators import AttributeValue, Network, Node, Operator, Tensor

#: Activations that a sketch knows: as one operator each, or as the small graphs that exporters write.
ACTIVATIONS = ("relu", "relu6", "leaky", "silu", "hardswish", "gelu", "sigmoid", "hardsigmoid", "tanh", "elu")

_SINGLE: dict[str, tuple[str, dict[str, AttributeValue]]] = {
    "relu": ("Relu", {}),
    "leaky": ("LeakyRelu", {"alpha": 0.1}),
    "sigmoid": ("Sigmoid", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hardswish": ("HardSwish", {}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {}),
}


def scalar(value: float) -> Tensor:
    """A float32 constant that is one number."""
    return Tensor((), constant=True, values=(float(value),))


def integers(*values: int) -> Tensor:
    """A list of int64 constants: a shape, axes, pads."""
    return Tensor((len(values),), "int64", True, values)


class Sketch(NetworkBuilder):
    """A network that is written down layer by layer; images are `(1, channels, height, width)`, tokens `(1, tokens, features)`."""

    def __init__(self, name: str, image: tuple[int, int, int]) -> None:
        super().__init__(name, {"input": Tensor((1, *image))})
        self._number = count()

    def name_of(self, kind: str) -> str:
        """A new name for a node."""
        return f"{kind.lower()}_{next(self._number)}"

    def shape(self, x: str) -> tuple[int, ...]:
        """The shape of a value."""
        return self.values[x].shape

    def op(self, kind: str, inputs: Sequence[str], output: Sequence[int], *constants: Tensor, **attributes: AttributeValue) -> str:
        """Any operator of one output; `constants` follow the inputs."""
        weights = {f"c{i}": tensor for i, tensor in enumerate(constants)}
        return self.node(kind, self.name_of(kind), tuple(inputs), tuple(output), weights, **attributes)

    def window(self, x: str, kernel: tuple[int, int], stride: int, dilation: int) -> tuple[tuple[int, int], tuple[int, ...]]:
        """Height and width after a window of odd size slid over zeros at the borders, and the pads that this takes."""
        pads = tuple(dilation * (k // 2) for k in kernel)
        sides = zip(self.shape(x)[2:], kernel, pads, strict=True)
        height, width = ((size + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for size, k, pad in sides)
        return (height, width), pads + pads

    def convolve(
        self,
        x: str,
        channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        bias: bool = True,
    ) -> str:
        """A convolution; the batch-norm behind it, if there was one, is folded into its weights."""
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        size, pads = self.window(x, kernel, stride, dilation)
        weights = [Tensor((channels, self.shape(x)[1] // groups, *kernel), constant=True)]
        if bias:
            weights.append(Tensor((channels,), constant=True))
        return self.op(
            "Conv", (x,), (1, channels, *size), *weights,
            kernel_shape=kernel, strides=(stride, stride), pads=pads, group=groups, dilations=(dilation, dilation),
        )  # fmt: skip

    def act(self, x: str, kind: str) -> str:
        """One of `ACTIVATIONS`, or none of them when `kind` is empty."""
        if not kind:
            return x
        if kind in _SINGLE:
            operator, attributes = _SINGLE[kind]
            return self.op(operator, (x,), self.shape(x), **attributes)
        if kind == "relu6":
            return self.op("Clip", (x,), self.shape(x), scalar(0), scalar(6))
        if kind == "silu":
            return self.join("Mul", x, self.act(x, "sigmoid"))
        erf = self.op("Erf", (self.scaled("Div", x, math.sqrt(2)),), self.shape(x))
        return self.scaled("Mul", self.join("Mul", x, self.scaled("Add", erf, 1.0)), 0.5)

    def conv_act(self, x: str, channels: int, kernel: int | tuple[int, int], act: str, stride: int = 1, groups: int = 1) -> str:
        """A convolution and an activation."""
        return self.act(self.convolve(x, channels, kernel, stride, groups), act)

    def join(self, kind: str, a: str, b: str) -> str:
        """Add, Mul, Sub of two values that can be broadcast; the first has the shape of the result."""
        return self.op(kind, (a, b), self.shape(a))

    def scaled(self, kind: str, x: str, value: float) -> str:
        """A value with one number."""
        return self.op(kind, (x,), self.shape(x), scalar(value))

    def weighted(self, kind: str, x: str, *shape: int) -> str:
        """A value with learned numbers that are broadcast."""
        return self.op(kind, (x,), self.shape(x), Tensor(shape, constant=True))

    def norm(self, x: str) -> str:
        """A batch-norm that cannot be folded."""
        vectors = [Tensor((self.shape(x)[1],), constant=True)] * 4
        return self.op("BatchNormalization", (x,), self.shape(x), *vectors)

    def layer_norm(self, x: str) -> str:
        """Over the last dimension."""
        vectors = [Tensor((self.shape(x)[-1],), constant=True)] * 2
        return self.op("LayerNormalization", (x,), self.shape(x), *vectors, axis=-1, epsilon=1e-6)

    def pool(self, x: str, kind: str, kernel: int, stride: int) -> str:
        """MaxPool or AveragePool."""
        size, pads = self.window(x, (kernel, kernel), stride, 1)
        return self.op(kind, (x,), (1, self.shape(x)[1], *size), kernel_shape=(kernel, kernel), strides=(stride, stride), pads=pads)

    def mean(self, x: str) -> str:
        """The mean over height and width, kept."""
        return self.op("GlobalAveragePool", (x,), (1, self.shape(x)[1], 1, 1))

    def squeeze_excite(self, x: str, hidden: int, act: str, gate: str) -> str:
        """Hu et al., CVPR 2018: channels are weighed by what their means say."""
        y = self.act(self.convolve(self.mean(x), hidden), act)
        return self.join("Mul", x, self.act(self.convolve(y, self.shape(x)[1]), gate))

    def concat(self, xs: Sequence[str], axis: int = 1) -> str:
        """Values side by side."""
        shape = list(self.shape(xs[0]))
        shape[axis] = sum(self.shape(x)[axis] for x in xs)
        return xs[0] if len(xs) == 1 else self.op("Concat", xs, shape, axis=axis)

    def split(self, x: str, parts: Sequence[int], axis: int = 1) -> list[str]:
        """A value cut into pieces of these sizes."""
        name, tensor = self.name_of("Split"), self.values[x]
        outputs = [f"{name}.out{i}" for i in range(len(parts))]
        shapes = [(*tensor.shape[:axis], part, *tensor.shape[axis + 1 :]) for part in parts]
        sizes = integers(*parts)
        operator = Operator("Split", (tensor, sizes), tuple(Tensor(shape) for shape in shapes), (("axis", axis),))
        self.nodes.append(Node(operator, name, (x, f"{name}.sizes"), tuple(outputs)))
        self.values.update({output: Tensor(shape) for output, shape in zip(outputs, shapes, strict=True)})
        return outputs

    def reshape(self, x: str, *shape: int) -> str:
        """The same numbers in another shape."""
        return self.op("Reshape", (x,), shape, integers(*shape))

    def transpose(self, x: str, *perm: int) -> str:
        """The dimensions in another order."""
        return self.op("Transpose", (x,), [self.shape(x)[i] for i in perm], perm=perm)

    def linear(self, x: str, features: int, bias: bool = True) -> str:  # type: ignore[override]
        """A fully connected layer over the last dimension of values of any rank, as exporters write it."""
        *rest, inputs = self.shape(x)
        if len(rest) == 1:
            weights = [Tensor((features, inputs), constant=True), Tensor((features,), constant=True)]
            return self.op("Gemm", (x,), (*rest, features), *weights, transB=1)
        y = self.op("MatMul", (x,), (*rest, features), Tensor((inputs, features), constant=True))
        return self.weighted("Add", y, features) if bias else y

    def product(self, a: str, b: str) -> str:
        """The matrix product over the last two dimensions."""
        return self.op("MatMul", (a, b), (*self.shape(a)[:-1], self.shape(b)[-1]))

    def softmax(self, x: str) -> str:
        """Over the last dimension."""
        return self.op("Softmax", (x,), self.shape(x), axis=-1)

    def tokens(self, x: str) -> str:
        """An image as tokens, one per pixel."""
        _, channels, height, width = self.shape(x)
        return self.transpose(self.reshape(x, 1, channels, height * width), 0, 2, 1)

    def image(self, x: str, height: int, width: int) -> str:
        """Tokens as an image."""
        return self.reshape(self.transpose(x, 0, 2, 1), 1, self.shape(x)[2], height, width)

    def upsample(self, x: str, factor: int, mode: str = "nearest") -> str:
        """An image enlarged: `nearest` makes of every pixel a square of equal ones, `linear` and `cubic` go over smoothly."""
        return self.resize(x, [factor * side for side in self.shape(x)[2:]], mode)

    def resize(self, x: str, sides: Sequence[int], mode: str) -> str:
        """An image of another height and width."""
        shape = (*self.shape(x)[:2], *sides)
        # The runtime rounds down what a factor gives: half a pixel more keeps it from losing one.
        pairs = zip(sides, self.shape(x)[2:], strict=True)
        factors = [new / old if new % old == 0 else (new + 0.5) / old for new, old in pairs]
        # The second input, regions of interest, is left out; the node names it "" and the operator holds None.
        name, tensor = self.name_of("Resize"), Tensor((4,), constant=True, values=(1.0, 1.0, *factors))
        modes: tuple[tuple[str, AttributeValue], ...] = (("coordinate_transformation_mode", "half_pixel"), ("mode", mode))
        if mode == "nearest":
            modes = (("coordinate_transformation_mode", "asymmetric"), ("mode", "nearest"), ("nearest_mode", "floor"))
        operator = Operator("Resize", (self.values[x], None, tensor), (Tensor(shape),), modes)
        self.nodes.append(Node(operator, name, (x, "", f"{name}.scales"), (f"{name}.out",)))
        self.values[f"{name}.out"] = Tensor(shape)
        return f"{name}.out"

    def classify(self, x: str, classes: int) -> Network:
        """The mean of an image or of tokens (features `(1, n)` are taken as they are), a linear layer, and the network is done."""
        if len(self.shape(x)) == 4:
            x = self.flatten(self.name_of("Flatten"), self.mean(x))
        elif len(self.shape(x)) == 3:
            axes = integers(1)
            x = self.op("ReduceMean", (x,), (1, self.shape(x)[-1]), axes, keepdims=0)
        return self.build(self.linear(x, classes))
