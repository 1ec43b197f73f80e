"""An operator as numbers, from its shapes and attributes alone.

What decides the time of a kernel is known before it runs: how much it computes, how much it moves, how well its sizes fill vector
registers and caches, and what is fused into it (compare nn-Meter, Zhang et al., MobiSys 2021, section 4.2, whose features know neither
groups, dilation, batch, data type nor rectangular shapes). Every column is finite and not negative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_profiles.operators import ITEM_BYTES, Operator, Tensor
from predictors.kinds import FAMILIES, activation_of, element_work, fused_work, kind_code, kind_family, short_kind

Matrix = npt.NDArray[np.float64]

#: How much is computed and moved: what the roofline is made of.
_WORK = (
    "macs",
    "element_steps",
    "params",
    "read_bytes",
    "written_bytes",
    "weight_bytes",
    "intensity",
    "macs_per_output",
    "elements_in",
    "elements_out",
)
#: The geometry of the kernel.
_SHAPE = (
    "batch", "channels_in", "channels_out", "height_in", "width_in", "height_out", "width_out", "kernel_h", "kernel_w",
    "stride_h", "stride_w", "dilation_h", "dilation_w", "padding", "groups", "group_channels_in", "group_channels_out",
)  # fmt: skip
#: How well sizes fill vector registers and caches.
_FIT = (
    "channels_in_mod8", "channels_in_mod16", "channels_out_mod8", "channels_out_mod16", "channels_out_mod64", "width_out_mod8",
    "width_out_mod16", "interior", "working_set", "fits_l1", "fits_l2", "fits_l3",
)  # fmt: skip
#: What is fused in, how data lies, which kind it is.
_FORM = (
    "activation_steps", "residual", "bias", "transposed", "inner_length", "behind", "nchwc", "nhwc", "item_bytes", "weight_item_bytes",
    "rank", "inputs", "outputs", "broadcast", "kind",
)  # fmt: skip

#: Names of the columns of `feature_matrix`. `family_*` are one-hot, in the order of `kinds.FAMILIES`.
FEATURES: tuple[str, ...] = (*_WORK, *_SHAPE, *_FIT, *_FORM, *(f"family_{family}" for family in FAMILIES))

#: Column of each feature.
COLUMN = {name: index for index, name in enumerate(FEATURES)}

#: The one-hot columns of the family.
FAMILY_COLUMNS = slice(len(FEATURES) - len(FAMILIES), len(FEATURES))

#: Sizes of typical first, second and third level caches in bytes: landmarks, not facts about the device.
_CACHES = (32e3, 1e6, 32e6)

#: The largest number written into a column: float32, which tree libraries use, ends at 3e38.
_LARGEST = 1e30


#: Relative work of a power by its exponent, and of any other exponent; of making images larger or smaller by the mode.
_POWERS, _ANY_POWER = {2.0: 1.0, 3.0: 2.0, 0.5: 2.0}, 20.0
_RESAMPLING = {"nearest": 1.0, "linear": 4.0, "cubic": 64.0}


class _Geometry(NamedTuple):
    batch: float
    channels_in: float
    channels_out: float
    height_in: float
    width_in: float
    height_out: float
    width_out: float
    kernel_h: float = 1
    kernel_w: float = 1
    groups: float = 1


def feature_matrix(operators: Sequence[Operator]) -> Matrix:
    """The features of operators, shape `(n, len(FEATURES))`, float64, finite, none negative; n may be 0."""
    return np.array([_row(op) for op in operators], dtype=np.float64).reshape(len(operators), len(FEATURES))


def steps(X: Matrix) -> npt.NDArray[np.float64]:
    """Element steps of rows of features, those of an activation that is part of the kernel included, `(n,)`."""
    return np.asarray(X[:, COLUMN["element_steps"]] + X[:, COLUMN["activation_steps"]] * X[:, COLUMN["elements_out"]])


def family(op: Operator) -> str:
    """The family of an operator: one of `kinds.FAMILIES`."""
    kind = short_kind(op)
    return _family(op, kind, _geometry(op, kind_family(kind), dict(op.attributes)))


def _family(op: Operator, kind: str, g: _Geometry) -> str:
    name = kind_family(kind)
    if name != "conv":
        return name
    if g.groups > 1:
        return "depthwise" if g.channels_in <= g.groups else "grouped"
    return "pointwise" if g.kernel_h == g.kernel_w == 1 else "conv"


def _row(op: Operator) -> list[float]:
    kind, attributes = short_kind(op), dict(op.attributes)
    g = _geometry(op, kind_family(kind), attributes)
    group = _family(op, kind, g)
    rows = [*_work(op, kind, group), *_shape(g, attributes), *_fit(op, g, attributes), *_form(op, kind, group, attributes)]
    rows.extend(1.0 if group == name else 0.0 for name in FAMILIES)
    return [min(value, _LARGEST) for value in rows]


def _work(op: Operator, kind: str, group: str) -> tuple[float, ...]:
    macs, weights = float(op.macs), float(op.weight_bytes)
    read, written = max(op.read_bytes - weights, 0.0), float(op.written_bytes)
    elements_in = float(max((t.size for t in op.inputs if t is not None), default=0))
    elements_out = float(sum(t.size for t in op.outputs))
    if group == "reshape":  # renames a buffer: at most a copy
        steps = 0.0
    elif group in ("global_pool", "reduce", "norm", "softmax", "quantize", "attention", "other"):
        steps = max(elements_in, elements_out) * element_work(kind)
    elif kind in ("Pow", "Resize", "Upsample"):
        steps = elements_out * _told_steps(op, kind)
    elif group == "pool":
        steps = elements_out * math.prod(_numbers(dict(op.attributes).get("kernel_shape"), (1, 1)))
    else:
        steps = elements_out * element_work(kind) if macs == 0 else 0.0
    moved = read + written + weights
    return (
        macs, steps, float(op.params), read, written, weights,
        macs / moved if moved else 0.0, macs / elements_out if elements_out else 0.0, elements_in, elements_out,
    )  # fmt: skip


def _told_steps(op: Operator, kind: str) -> float:
    """Relative work per element of a kernel whose attributes or constants decide how it computes: small powers are products, and a
    smooth enlargement weighs four or sixteen neighbours."""
    if kind == "Pow":
        exponent = op.inputs[1].values if len(op.inputs) > 1 and op.inputs[1] is not None else None
        return _POWERS.get(exponent[0], _ANY_POWER) if exponent else _ANY_POWER
    return _RESAMPLING.get(str(op.attribute("mode", "nearest")), 1.0)


def _shape(g: _Geometry, attributes: dict[str, Any]) -> tuple[float, ...]:
    strides, dilations = _numbers(attributes.get("strides"), (1, 1)), _numbers(attributes.get("dilations"), (1, 1))
    return (
        *g[:9], float(strides[0]), float(strides[-1]), float(dilations[0]), float(dilations[-1]),
        float(sum(map(abs, _numbers(attributes.get("pads"), (0,))))), g.groups, g.channels_in / g.groups, g.channels_out / g.groups,
    )  # fmt: skip


def _fit(op: Operator, g: _Geometry, attributes: dict[str, Any]) -> tuple[float, ...]:
    # Blocked convolutions compute up to four blocks of 16 output channels at once: 64 decides how well that fills.
    remainders = (
        g.channels_in % 8, g.channels_in % 16, g.channels_out % 8, g.channels_out % 16, g.channels_out % 64,
        g.width_out % 8, g.width_out % 16,
    )  # fmt: skip
    working_set = float(op.read_bytes + op.written_bytes)
    return (*remainders, _interior(g, attributes), working_set, *(cache / (cache + working_set) for cache in _CACHES))


def _interior(g: _Geometry, attributes: dict[str, Any]) -> float:
    """The share of outputs whose window lies within the input: the others take the slow path that looks at borders."""
    pads, strides = _numbers(attributes.get("pads"), (0,)), _numbers(attributes.get("strides"), (1, 1))
    if len(pads) < 2:
        return 1.0
    middle = len(pads) // 2  # all beginnings come before all ends
    border_h, border_w = pads[0] + pads[middle], pads[middle - 1] + pads[-1]
    inside_h = 1.0 - min(max(border_h, 0) / max(strides[0], 1), g.height_out) / max(g.height_out, 1.0)
    inside_w = 1.0 - min(max(border_w, 0) / max(strides[-1], 1), g.width_out) / max(g.width_out, 1.0)
    return inside_h * inside_w


def _form(op: Operator, kind: str, group: str, attributes: dict[str, Any]) -> tuple[float, ...]:
    tensors = [t for t in op.inputs if t is not None]
    output = op.outputs[0] if op.outputs else Tensor(())
    first = tensors[0] if tensors else output
    convolution = group in ("conv", "pointwise", "depthwise", "grouped", "deconv")
    weights = [t for t in tensors if t.constant and t.values is None]
    extra = len(op.inputs) > 3 and op.inputs[3] is not None and op.inputs[3].shape == output.shape
    broadcast = any(t.size != output.size for t in tensors) if group == "binary" else False
    lowered = op.kind.lower()
    channels_last = "nhwc" in lowered or attributes.get("channels_last", 0) == 1
    return (
        fused_work(activation_of(op)), float(convolution and extra), float(any(len(t.shape) == 1 for t in weights)),
        _transposed(attributes, first), *_inner(op, attributes, first.shape), float(lowered.startswith("nchwc.")), float(channels_last),
        ITEM_BYTES.get(first.dtype, 4.0), ITEM_BYTES.get(weights[0].dtype, 4.0) if weights else 0.0, float(len(first.shape)),
        float(len(tensors)), float(len(op.outputs)), float(broadcast), kind_code(kind),
    )  # fmt: skip


def _transposed(attributes: dict[str, Any], first: Tensor) -> float:
    """How many of the operands are given transposed, or whether the innermost dimension moves."""
    flags = float(bool(attributes.get("transA", 0))) + float(bool(attributes.get("transB", 0)))
    perm = attributes.get("perm")
    if isinstance(perm, tuple) and perm:
        flags += float(perm[-1] != len(first.shape) - 1)
    return flags


def _inner(op: Operator, attributes: dict[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    """Elements along and behind the axes that the kernel works on, and behind them alone: 1 where it works on neighbours in memory.

    For a transposition: the elements that stay together, and how far apart those are that become neighbours. 0 and 0 without an axis.
    """
    perm = _whole(attributes.get("perm"))
    if perm and len(perm) == len(shape):
        together = next((i for i in range(len(perm)) if perm[-1 - i] != len(perm) - 1 - i), len(perm))
        return float(math.prod(shape[len(shape) - together :])), float(math.prod(shape[perm[-1] + 1 :]))
    axis = attributes.get("axis")
    axes = (axis,) if isinstance(axis, int) else _axes(op, attributes)
    rank = len(shape)
    if not axes or not all(-rank <= a < rank for a in axes):
        return 0.0, 0.0
    places = [a % rank for a in axes]
    return float(math.prod(shape[min(places) :])), float(math.prod(shape[max(places) + 1 :]))


def _axes(op: Operator, attributes: dict[str, Any]) -> tuple[int, ...]:
    """The axes of a reduction, which newer operator sets have as an input."""
    given = op.inputs[1] if short_kind(op).startswith("Reduce") and len(op.inputs) > 1 else None
    return _whole(attributes.get("axes", None if given is None else given.values))


def _whole(values: Any) -> tuple[int, ...]:
    """Whole numbers as they are, nothing for what holds anything else: an operator nobody knows may call any attribute by any name."""
    return values if isinstance(values, tuple) and all(isinstance(value, int) for value in values) else ()


def _numbers(value: Any, default: tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) and value else default


def _geometry(op: Operator, group: str, attributes: dict[str, Any]) -> _Geometry:
    tensors = [t for t in op.inputs if t is not None]
    output = op.outputs[0].shape if op.outputs else ()
    first = tensors[0].shape if tensors else output
    last = "nhwc" in op.kind.lower() or attributes.get("channels_last", 0) == 1
    if group == "matmul":
        return _matmul(op, first, output, attributes)
    batch, c_in, h_in, w_in = _image(first, last)
    _, c_out, h_out, w_out = _image(output, last)
    if group in ("conv", "deconv"):
        weight = _conv_weight(op)
        kernel = _numbers(attributes.get("kernel_shape"), weight[2:] or (1, 1))
        groups = max(int(attributes.get("group", 1)), 1)
        # Padding to whole blocks of channels happens in the weights: they say what is really computed.
        if group == "conv" and len(weight) > 1:
            c_in, c_out = float(weight[1] * groups), float(weight[0])
        return _Geometry(batch, c_in, c_out, h_in, w_in, h_out, w_out, float(kernel[0]), float(kernel[-1]), float(groups))
    kernel = _numbers(attributes.get("kernel_shape"), (1, 1)) if group == "pool" else (1, 1)
    return _Geometry(batch, c_in, c_out, h_in, w_in, h_out, w_out, float(kernel[0]), float(kernel[-1]))


def _conv_weight(op: Operator) -> tuple[int, ...]:
    position = 3 if "QLinear" in op.kind else 1
    weight = op.inputs[position] if len(op.inputs) > position else None
    return () if weight is None else weight.shape


def _image(shape: tuple[int, ...], channels_last: bool) -> tuple[float, float, float, float]:
    """Batch, channels, height, width of a tensor of any rank; leading spatial dimensions count as height."""
    if len(shape) < 2:
        return 1.0, float(shape[0]) if shape else 1.0, 1.0, 1.0
    batch, rest = shape[0], shape[1:]
    channels, space = (rest[-1], rest[:-1]) if channels_last else (rest[0], rest[1:])
    return float(batch), float(channels), float(math.prod(space[:-1])), float(space[-1] if space else 1)


def _matmul(op: Operator, first: tuple[int, ...], output: tuple[int, ...], attributes: dict[str, Any]) -> _Geometry:
    """Rows are the height, the inner dimension channels in, columns channels out, leading dimensions the batch."""
    columns = float(output[-1]) if output else 1.0
    rows = float(output[-2]) if len(output) > 1 else 1.0
    elements = math.prod(output)
    inner = op.macs / elements if elements and op.macs else float(first[-1]) if first else 1.0
    return _Geometry(float(math.prod(output[:-2])), float(inner), columns, rows, 1.0, rows, 1.0)
