"""Products of two matrices take in the transposes and the scale factors around them: microsoft.FusedMatMul."""

from __future__ import annotations

import numpy as np

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.operators import AttributeValue

#: What the runtime states of every product that it fused.
_STATED: dict[str, AttributeValue] = {"transBatchA": 0, "transBatchB": 0}


def fuse_transposes(draft: Draft) -> None:
    """MatMul of a value whose last two dimensions were swapped by a transpose."""
    for step in draft.steps("MatMul"):
        for position, name in enumerate(("transA", "transB")):
            above = draft.maker.get(step.inputs[position])
            if above is None or above.kind != "Transpose":
                continue
            perm = above.attributes.get("perm")
            rank = len(draft.shape(step.inputs[position]))
            if perm == (*range(rank - 2), rank - 1, rank - 2):
                step.kind = "microsoft.FusedMatMul"
                step.attributes = {**_STATED, **step.attributes, name: 1}
                draft.feed(step, position, above.inputs[0])
                if not draft.uses(above.outputs[0]) and above.outputs[0] not in draft.results:
                    draft.remove(above)
            elif perm in ((*range(1, rank - 1), 0, rank - 1), (*range(1, rank), 0)):
                raise Unsure("a product of matrices whose batch was transposed")


def fuse_scales(draft: Draft) -> None:
    """MatMul before or behind which a product with one number stands."""
    for step in draft.steps("MatMul", "microsoft.FusedMatMul"):
        alpha = np.float32(step.attributes.get("alpha", 1.0))  # type: ignore[arg-type]
        found = False
        for position, value in enumerate(step.inputs):
            above = draft.maker.get(value)
            scaled = None if above is None else _scale(draft, above)
            if above is not None and scaled is not None and draft.shape(scaled[1]):
                alpha, found = alpha * scaled[0], True
                draft.feed(step, position, scaled[1])
                if not draft.uses(value) and value not in draft.results:
                    draft.remove(above)
        below = draft.only_reader(step.outputs[0])
        scaled = None if below is None else _scale(draft, below)
        if below is not None and scaled is not None:
            alpha, found = alpha * scaled[0], True
            draft.absorb(step, below)
        if found:
            step.kind = "microsoft.FusedMatMul"
            step.attributes = {**_STATED, **step.attributes, "alpha": float(alpha)}


def _scale(draft: Draft, step: Step) -> tuple[np.float32, str] | None:
    """The factor of a product or quotient with one number, and the value that it scales."""
    if step.kind not in ("Mul", "Div"):
        return None
    for number, other in ((1, 0),) if step.kind == "Div" else ((0, 1), (1, 0)):
        value, scaled = step.inputs[number], step.inputs[other]
        tensor = draft.tensors[value]
        if tensor.constant and tensor.size == 1 and len(tensor.shape) <= len(draft.shape(scaled)):
            found = np.float32(draft.scalar(value))
            return (np.float32(1) / found if step.kind == "Div" else found), scaled
    return None
