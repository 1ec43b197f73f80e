"""Sizes that exporters compute inside the graph: they are constants once the sizes of the inputs are fixed.

Shape inference follows only some of these computations. Here they are carried out, so that their results can stand in the model as
constants. `model` is a message of the onnx package; nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.graphs.graph import attribute_value
from device_profiles.operators import MAX_VALUES, Tensor

Array = npt.NDArray[Any]

#: Results of more elements are not followed: they are no sizes.
_LIMIT = 16 * MAX_VALUES


def computed(model: Any, known: Mapping[str, Tensor], constant: Callable[[Any], Array | None]) -> dict[str, Array]:
    """What the nodes that depend on constants and known shapes alone compute, by value, as far as it is small.

    `known` gives the tensors of values whose shapes are known, `constant` the content of a constant; None for a large one.
    """
    values = {proto.name: array for proto in model.graph.initializer if (array := constant(proto)) is not None}
    found: dict[str, Array] = {}
    for node in model.graph.node:
        result = _result(node, values, known, constant)
        if result is not None and result.size <= _LIMIT:
            values[node.output[0]] = result
            if result.size <= MAX_VALUES or result.dtype.kind in "iub":  # more floats are weights: they stay what they were made of
                found[node.output[0]] = result
    return found


def _result(node: Any, values: Mapping[str, Array], known: Mapping[str, Tensor], constant: Callable[[Any], Array | None]) -> Array | None:
    if node.domain or len(node.output) != 1:
        return None
    attributes = {a.name: a.t if a.type == 4 else attribute_value(a) for a in node.attribute}
    if node.op_type == "Constant" and "value" in attributes:
        return constant(attributes["value"])
    if node.op_type == "Shape" and node.input[0] in known:
        shape = known[node.input[0]].shape
        return np.array(shape[attributes.get("start", 0) : attributes.get("end", len(shape))], np.int64)
    if node.op_type == "ConstantOfShape" and node.input[0] in values:
        content = constant(attributes["value"]) if "value" in attributes else np.zeros(1, np.float32)
        small = int(np.prod(values[node.input[0]])) <= _LIMIT
        return np.full(tuple(values[node.input[0]]), content.ravel()[0], content.dtype) if small and content is not None else None
    rule = RULES.get(node.op_type)
    if rule is None or not node.input or not all(not name or name in values for name in node.input):
        return None
    return apply(rule, [values[name] if name else None for name in node.input], attributes)


def apply(rule: Callable[[list[Any], dict[str, Any]], Array], arrays: list[Any], attributes: dict[str, Any]) -> Array | None:
    """What a rule gives; None where the step is written in a way that it does not follow."""
    try:
        return rule(arrays, attributes)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError):
        return None


def _axes(arrays: list[Any], attributes: dict[str, Any]) -> tuple[int, ...]:
    return tuple(attributes["axes"] if len(arrays) < 2 or arrays[1] is None else arrays[1].ravel().tolist())


def _slice(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    data, starts, ends = arrays[:3]
    axes = arrays[3] if len(arrays) > 3 and arrays[3] is not None else range(len(starts))
    steps = arrays[4] if len(arrays) > 4 and arrays[4] is not None else [1] * len(starts)
    index: list[slice] = [slice(None)] * data.ndim
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        past = int(end) < -data.shape[int(axis)]  # an end before the first element, which a step backwards includes
        index[int(axis)] = slice(int(start), None if past and stride < 0 else int(end), int(stride))
    return np.asarray(data[tuple(index)])


def _divide(a: Array, b: Array) -> Array:
    return np.asarray(np.trunc(a / b)).astype(a.dtype) if a.dtype.kind in "iu" else np.asarray(a / b)


def _reshape(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    data, wanted = arrays
    return np.asarray(data.reshape([data.shape[i] if d == 0 else int(d) for i, d in enumerate(wanted)]))


def _expand(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    shape = np.broadcast_shapes(arrays[0].shape, tuple(int(d) for d in arrays[1]))
    if np.prod(shape) > _LIMIT:
        raise ValueError("no size")
    return np.broadcast_to(arrays[0], shape)


def _range(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    start, end, step = (a.item() for a in arrays)
    if abs((end - start) / step) > _LIMIT:
        raise ValueError("no size")
    return np.arange(start, end, step, dtype=arrays[0].dtype)


def _cast(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    number = attributes.get("to", 7)
    return np.asarray(arrays[0].astype({1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}[number]))


def _pairwise(function: Callable[[Any, Any], Any]) -> Callable[[list[Any], dict[str, Any]], Array]:
    return lambda arrays, attributes: np.asarray(function(arrays[0], arrays[1]))


#: Kind -> what it computes from its inputs (None where one is absent) and its attributes.
RULES: dict[str, Callable[[list[Any], dict[str, Any]], Array]] = {
    "Identity": lambda arrays, attributes: arrays[0],
    "Cast": _cast,
    "Gather": lambda arrays, attributes: np.take(arrays[0], arrays[1], axis=attributes.get("axis", 0)),
    "Concat": lambda arrays, attributes: np.concatenate(arrays, axis=attributes["axis"]),
    "Unsqueeze": lambda arrays, attributes: np.expand_dims(arrays[0], _axes(arrays, attributes)),
    "Squeeze": lambda arrays, attributes: np.squeeze(arrays[0], _axes(arrays, attributes)),
    "Slice": _slice,
    "Reshape": _reshape,
    "Transpose": lambda arrays, attributes: np.transpose(arrays[0], attributes.get("perm")),
    "Add": _pairwise(np.add),
    "Sub": _pairwise(np.subtract),
    "Mul": _pairwise(np.multiply),
    "Div": _pairwise(_divide),
    "Mod": _pairwise(np.mod),
    "Min": _pairwise(np.minimum),
    "Max": _pairwise(np.maximum),
    "Clip": lambda arrays, attributes: np.clip(*[*arrays, None, None][:3]),
    "Equal": _pairwise(np.equal),
    "Where": lambda arrays, attributes: np.where(arrays[0], arrays[1], arrays[2]),
    "Expand": _expand,
    "Sqrt": lambda arrays, attributes: np.sqrt(arrays[0]),
    "Floor": lambda arrays, attributes: np.floor(arrays[0]),
    "Ceil": lambda arrays, attributes: np.ceil(arrays[0]),
    "Neg": lambda arrays, attributes: -arrays[0],
    "Range": _range,
}
