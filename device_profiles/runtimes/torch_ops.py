"""ONNX operators as torch calls: what each kind of node does, by `torch.nn.functional`.

Every function takes the node and its inputs and works on tensors and on the proxies of `torch.fx` alike: shapes are never read from a
tensor, they are known from the node. Compare the operator reference of ONNX (onnx.ai/onnx/operators).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from device_profiles.errors import DeviceError
from device_profiles.operators import Operator


@dataclass(frozen=True)
class Call:
    """A node: its operator, the operator set of its model, and what makes a constant of the module."""

    operator: Operator
    opset: int
    keep: Callable[[torch.Tensor], Any]

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.operator.attribute(name, default)

    def constant(self, position: int) -> tuple[Any, ...] | None:
        """The values of a small constant input; None when it is absent."""
        if position >= len(self.operator.inputs) or self.operator.inputs[position] is None:
            return None
        tensor = self.operator.inputs[position]
        if tensor is None or tensor.values is None:
            raise DeviceError(f"{self.operator.kind}: input {position} must be a small constant for torch")
        return tensor.values

    def shape(self, position: int = 0) -> tuple[int, ...]:
        """The shape of an input."""
        tensor = self.operator.inputs[position]
        assert tensor is not None
        return tensor.shape

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of the first output."""
        return self.operator.outputs[0].shape


Translation = Callable[..., Any]


def _pads(call: Call, kernel: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and after each spatial dimension."""
    rank = len(kernel)
    mode = call.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        pads = call.get("pads", (0,) * (2 * rank)) if mode == "NOTSET" else (0,) * (2 * rank)
        return tuple(pads[:rank]), tuple(pads[rank:])
    strides, dilations = call.get("strides", (1,) * rank), call.get("dilations", (1,) * rank)
    sizes = zip(call.shape()[2:], kernel, strides, dilations, strict=True)
    total = [max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in sizes]
    less, more = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (less, more) if mode == "SAME_UPPER" else (more, less)


def _padded(x: Any, before: tuple[int, ...], after: tuple[int, ...], value: float) -> Any:
    """The tensor with padding that torch's own operators cannot do: different before and after."""
    return F.pad(x, [p for pair in zip(reversed(before), reversed(after), strict=True) for p in pair], value=value)


def conv(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    """Conv."""
    kernel = call.shape(1)[2:]
    before, after = _pads(call, kernel)
    if before != after:
        x, before = _padded(x, before, after, 0.0), (0,) * len(kernel)
    function = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
    ones = (1,) * len(kernel)
    return function(x, weight, bias, call.get("strides", ones), before, call.get("dilations", ones), call.get("group", 1))


def conv_transpose(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    """ConvTranspose."""
    kernel = call.shape(1)[2:]
    before, after = _pads(call, kernel)
    if before != after or call.get("auto_pad", "NOTSET") != "NOTSET" or call.get("output_shape"):
        raise DeviceError("ConvTranspose with uneven or automatic padding is not translated for torch")
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[len(kernel) - 1]
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    output_padding = call.get("output_padding", zeros)
    return function(x, weight, bias, call.get("strides", ones), before, output_padding, call.get("group", 1), call.get("dilations", ones))


def max_pool(call: Call, x: Any) -> Any:
    """MaxPool with one result."""
    if len(call.operator.outputs) > 1:
        raise DeviceError("MaxPool that gives indices is not translated for torch")
    kernel = call.get("kernel_shape")
    before, after = _pads(call, kernel)
    if before != after:
        x, before = _padded(x, before, after, -math.inf), (0,) * len(kernel)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
    ones = (1,) * len(kernel)
    return function(x, kernel, call.get("strides", ones), before, call.get("dilations", ones), bool(call.get("ceil_mode", 0)))


def average_pool(call: Call, x: Any) -> Any:
    """AveragePool."""
    kernel = call.get("kernel_shape")
    before, after = _pads(call, kernel)
    counted, ceil = bool(call.get("count_include_pad", 0)), bool(call.get("ceil_mode", 0))
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel) - 1]
    strides = call.get("strides", (1,) * len(kernel))
    if before == after:
        return function(x, kernel, strides, before, ceil, counted)
    zeros = (0,) * len(kernel)
    mean = function(_padded(x, before, after, 0.0), kernel, strides, zeros, ceil)
    if counted:
        return mean
    share = function(_padded(torch.ones(1, 1, *call.shape()[2:]), before, after, 0.0), kernel, strides, zeros, ceil)
    return mean * call.keep(1 / share)


def batch_norm(call: Call, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    """BatchNormalization at inference."""
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, call.get("epsilon", 1e-5))


def layer_norm(call: Call, x: Any, scale: Any, bias: Any = None) -> Any:
    """LayerNormalization with one result."""
    return F.layer_norm(x, call.shape()[call.get("axis", -1) :], scale, bias, call.get("epsilon", 1e-5))


def instance_norm(call: Call, x: Any, scale: Any, bias: Any) -> Any:
    """InstanceNormalization."""
    return F.instance_norm(x, weight=scale, bias=bias, eps=call.get("epsilon", 1e-5))


def local_response_norm(call: Call, x: Any) -> Any:
    """LRN."""
    return F.local_response_norm(x, call.get("size"), call.get("alpha", 1e-4), call.get("beta", 0.75), call.get("bias", 1.0))


def gemm(call: Call, a: Any, b: Any, c: Any = None) -> Any:
    """Gemm; the usual linear layer is one call."""
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    a = a.t() if call.get("transA", 0) else a
    if alpha == 1.0 and beta == 1.0 and (c is None or len(call.shape(2)) == 1):
        return F.linear(a, b if call.get("transB", 0) else b.t(), c)
    product = torch.matmul(a, b.t() if call.get("transB", 0) else b) * alpha
    return product if c is None else product + beta * c


def softmax(call: Call, x: Any) -> Any:
    """Softmax and LogSoftmax; before operator set 13 over all dimensions from the axis on."""
    function = F.softmax if call.operator.kind == "Softmax" else F.log_softmax
    axis, shape = call.get("axis", -1 if call.opset >= 13 else 1), call.shape()
    axis %= len(shape)
    if call.opset >= 13 or math.prod(shape[axis + 1 :]) == 1:
        return function(x, dim=axis)
    return function(x.reshape(math.prod(shape[:axis]), -1), dim=1).reshape(shape)


def clip(call: Call, x: Any, low: Any = None, high: Any = None) -> Any:
    """Clip, with bounds as inputs or, before operator set 11, as attributes."""
    bounds = [call.constant(position) for position in (1, 2)]
    low = bounds[0][0] if bounds[0] else call.get("min")
    high = bounds[1][0] if bounds[1] else call.get("max")
    return x if low is None and high is None else torch.clamp(x, low, high)


def reshape(call: Call, x: Any, *_: Any) -> Any:
    """Reshape, Flatten, Squeeze, Unsqueeze: the shape of the result is known."""
    return x.reshape(call.result)


def split(call: Call, x: Any, *_: Any) -> Any:
    """Split."""
    axis = call.get("axis", 0)
    return torch.split(x, [output.shape[axis] for output in call.operator.outputs], axis)


def slice_(call: Call, x: Any, *_: Any) -> Any:
    """Slice with positive steps."""
    starts, ends = call.constant(1) or call.get("starts"), call.constant(2) or call.get("ends")
    axes = call.constant(3) or call.get("axes") or tuple(range(len(starts)))
    steps = call.constant(4) or (1,) * len(starts)
    if min(steps) < 1:
        raise DeviceError("Slice with a negative step is not translated for torch")
    ranges = [slice(None)] * len(call.shape())
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        ranges[axis] = slice(int(start), int(end), int(step))
    return x[tuple(ranges)]


def pad(call: Call, x: Any, *_: Any) -> Any:
    """Pad of all dimensions, constant, by reflection or by repeating the edge."""
    pads = call.constant(1) or call.get("pads")
    value = call.constant(2)
    rank = len(call.shape())
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[call.get("mode", "constant")]
    flat = [p for d in reversed(range(rank)) for p in (int(pads[d]), int(pads[d + rank]))]
    while mode != "constant" and len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    return F.pad(x, flat, mode, (value[0] if value else call.get("value", 0.0)) if mode == "constant" else None)


def reduce(function: Callable[..., Any]) -> Translation:
    """ReduceMean, ReduceSum: over axes given as an attribute or an input."""

    def translated(call: Call, x: Any, *_: Any) -> Any:
        """The reduction over the axes of the node, wherever it states them."""
        axes = call.get("axes") or (call.constant(1) if len(call.operator.inputs) > 1 else None) or tuple(range(len(call.shape())))
        return function(x, dim=tuple(int(a) for a in axes), keepdim=bool(call.get("keepdims", 1)))

    return translated


def prelu(call: Call, x: Any, slope: Any) -> Any:
    """PRelu with a slope per channel or one for all."""
    return F.prelu(x, slope.reshape(-1))


def hard_sigmoid(call: Call, x: Any) -> Any:
    """HardSigmoid."""
    return torch.clamp(x * call.get("alpha", 0.2) + call.get("beta", 0.5), 0.0, 1.0)


def _spatial(call: Call) -> tuple[int, ...]:
    return tuple(range(2, len(call.shape())))


def _plain(function: Callable[..., Any]) -> Translation:
    return lambda call, *inputs: function(*inputs)


def _folded(function: Callable[..., Any]) -> Translation:
    def translated(call: Call, first: Any, *others: Any) -> Any:
        """The function of all inputs, from the first on."""
        for other in others:
            first = function(first, other)
        return first

    return translated


#: Kinds by name. What is missing is refused with its name.
TRANSLATIONS: dict[str, Translation] = {
    "Conv": conv, "ConvTranspose": conv_transpose, "MaxPool": max_pool, "AveragePool": average_pool, "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm, "InstanceNormalization": instance_norm, "LRN": local_response_norm, "Gemm": gemm,
    "MatMul": _plain(torch.matmul), "Softmax": softmax, "LogSoftmax": softmax, "Clip": clip, "Split": split, "Slice": slice_, "Pad": pad,
    "Reshape": reshape, "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape, "PRelu": prelu, "HardSigmoid": hard_sigmoid,
    "GlobalAveragePool": lambda call, x: x.mean(_spatial(call), keepdim=True),
    "GlobalMaxPool": lambda call, x: torch.amax(x, _spatial(call), keepdim=True),
    "ReduceMean": reduce(torch.mean), "ReduceSum": reduce(torch.sum), "ReduceMax": reduce(torch.amax), "ReduceMin": reduce(torch.amin),
    "Transpose": lambda call, x: x.permute(call.get("perm", tuple(reversed(range(len(call.shape())))))).contiguous(),
    "Concat": lambda call, *xs: torch.cat(xs, call.get("axis")),
    "Add": _plain(torch.add), "Sub": _plain(torch.sub), "Mul": _plain(torch.mul), "Div": _plain(torch.div), "Pow": _plain(torch.pow),
    "Sum": _folded(torch.add), "Max": _folded(torch.maximum), "Min": _folded(torch.minimum),
    "Relu": _plain(torch.relu), "Sigmoid": _plain(torch.sigmoid), "Tanh": _plain(torch.tanh), "Exp": _plain(torch.exp),
    "Log": _plain(torch.log), "Sqrt": _plain(torch.sqrt), "Abs": _plain(torch.abs), "Neg": _plain(torch.neg), "Erf": _plain(torch.erf),
    "Reciprocal": _plain(torch.reciprocal), "Softplus": _plain(F.softplus), "Mish": _plain(F.mish), "HardSwish": _plain(F.hardswish),
    "Gelu": lambda call, x: F.gelu(x, approximate=call.get("approximate", "none")),
    "LeakyRelu": lambda call, x: F.leaky_relu(x, call.get("alpha", 0.01)),
    "Elu": lambda call, x: F.elu(x, call.get("alpha", 1.0)),
    "Identity": lambda call, x: x.clone(), "Dropout": lambda call, x, *_: x.clone(),
}  # fmt: skip
