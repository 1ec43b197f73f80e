"""Constant folding: what depends on constants, or on shapes alone, is computed when the session is made.

Only the content of small constants is followed; it is what decides later kernels (shapes, axes, scales).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.graphs.shapes import RULES, apply
from device_profiles.lowering.draft import Draft, Step
from device_profiles.operators import MAX_VALUES, Tensor


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
        known = content is not None and len(step.outputs) == 1 and content.shape == old.shape
        values = tuple(content.astype(old.dtype).ravel().tolist()) if known and content is not None else old.values
        draft.tensors[value] = Tensor(old.shape, old.dtype, constant=True, values=values)


def _content(draft: Draft, step: Step) -> npt.NDArray[Any] | None:
    if step.kind == "Shape":
        shape = draft.shape(step.inputs[0])
        start, end = (int(step.attributes.get(n, d)) for n, d in (("start", 0), ("end", len(shape))))  # type: ignore[arg-type]
        return np.array(shape[start:end], np.int64)
    tensors = [draft.tensors[value] if value else None for value in step.inputs]
    if (
        step.kind not in RULES
        or draft.tensors[step.outputs[0]].size > MAX_VALUES
        or any(t is not None and t.values is None for t in tensors)
    ):
        return None
    arrays = [None if t is None or t.values is None else np.array(t.values, np.dtype(t.dtype)).reshape(t.shape) for t in tensors]
    return apply(RULES[step.kind], arrays, dict(step.attributes))
