"""Constant folding: what depends on constants, or on shapes alone, is computed when the session is made.

Only the content of small whole numbers and scalars is followed; it is what decides later kernels (shapes, axes, scales).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.lowering.draft import Draft, Step
from device_profiles.operators import MAX_VALUES, Tensor

Array = npt.NDArray[Any]


def fold_constants(draft: Draft) -> bool:
    """Computes every step whose inputs are all constant; True when there was one."""
    found = False
    for step in draft.steps():
        read = [value for value in step.inputs if value]
        if step.kind == "Shape" or (read and all(draft.constant(value) for value in read)):
            _store(draft, step)
            draft.remove(step)
            found = True
    return found


def _store(draft: Draft, step: Step) -> None:
    """Makes the outputs of a step constants, with their content when it is small and can be computed."""
    content = _content(draft, step)
    for value in step.outputs:
        old = draft.tensors[value]
        values = None if content is None or len(step.outputs) > 1 else tuple(content.astype(old.dtype).ravel().tolist())
        draft.tensors[value] = Tensor(old.shape, old.dtype, constant=True, values=values)


def _content(draft: Draft, step: Step) -> Array | None:
    if step.kind == "Shape":
        shape = draft.shape(step.inputs[0])
        start, end = (int(step.attributes.get(n, d)) for n, d in (("start", 0), ("end", len(shape))))  # type: ignore[arg-type]
        return np.array(shape[start:end], np.int64)
    rule = _RULES.get(step.kind)
    tensors = [draft.tensors[value] if value else None for value in step.inputs]
    if rule is None or draft.tensors[step.outputs[0]].size > MAX_VALUES or any(t is not None and t.values is None for t in tensors):
        return None
    arrays = [None if t is None else np.array(t.values, np.dtype(t.dtype)).reshape(t.shape) for t in tensors]
    try:
        result = rule(arrays, step.attributes)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError):
        return None  # written in a way that is not followed here: its content stays unknown
    return result if result.size <= MAX_VALUES and result.shape == draft.shape(step.outputs[0]) else None


def _axes(arrays: list[Any], attributes: dict[str, Any]) -> tuple[int, ...]:
    return tuple(attributes["axes"] if len(arrays) < 2 or arrays[1] is None else arrays[1].ravel().tolist())


def _slice(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    data, starts, ends = arrays[:3]
    axes = arrays[3] if len(arrays) > 3 and arrays[3] is not None else range(len(starts))
    steps = arrays[4] if len(arrays) > 4 and arrays[4] is not None else [1] * len(starts)
    index: list[slice] = [slice(None)] * data.ndim
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        if stride < 1:
            raise ValueError("walked backwards")
        index[int(axis)] = slice(int(start), int(min(end, np.iinfo(np.int32).max)), int(stride))
    return np.asarray(data[tuple(index)])


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        return np.asarray(np.trunc(a / b)).astype(a.dtype)
    return np.asarray(a / b)


def _reshape(arrays: list[Any], attributes: dict[str, Any]) -> Array:
    data, wanted = arrays
    return np.asarray(data.reshape([data.shape[i] if d == 0 else int(d) for i, d in enumerate(wanted)]))


def _pairwise(function: Callable[[Any, Any], Any]) -> Callable[[list[Any], dict[str, Any]], Array]:
    return lambda arrays, attributes: np.asarray(function(arrays[0], arrays[1]))


_RULES: dict[str, Callable[[list[Any], dict[str, Any]], Array]] = {
    "Identity": lambda arrays, attributes: arrays[0],
    "Cast": lambda arrays, attributes: arrays[0],
    "Gather": lambda arrays, attributes: np.take(arrays[0], arrays[1], axis=attributes.get("axis", 0)),
    "Concat": lambda arrays, attributes: np.concatenate(arrays, axis=attributes["axis"]),
    "Unsqueeze": lambda arrays, attributes: np.expand_dims(arrays[0], _axes(arrays, attributes)),
    "Squeeze": lambda arrays, attributes: np.squeeze(arrays[0], _axes(arrays, attributes)),
    "Slice": _slice,
    "Reshape": _reshape,
    "Add": _pairwise(np.add),
    "Sub": _pairwise(np.subtract),
    "Mul": _pairwise(np.multiply),
    "Div": _pairwise(_divide),
    "Equal": _pairwise(np.equal),
    "Where": lambda arrays, attributes: np.where(arrays[0], arrays[1], arrays[2]),
    "Expand": lambda arrays, attributes: np.broadcast_to(arrays[0], np.broadcast_shapes(arrays[0].shape, tuple(arrays[1]))),
    "Sqrt": lambda arrays, attributes: np.sqrt(arrays[0]),
    "Floor": lambda arrays, attributes: np.floor(arrays[0]),
    "Ceil": lambda arrays, attributes: np.ceil(arrays[0]),
    "Neg": lambda arrays, attributes: -arrays[0],
    "Range": lambda arrays, attributes: np.arange(*(a.item() for a in arrays)),
}
