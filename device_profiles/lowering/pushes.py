"""How a transpose is pushed through a step, kind by kind. Every function returns False when it left everything as it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.lowering.linear import shape_constant
from device_profiles.lowering.permutations import Perm, compose, inverted, squeezed, unsqueezed
from device_profiles.operators import Tensor

if TYPE_CHECKING:
    from device_profiles.lowering.transposes import Transposes

Push = Callable[["Transposes", Step, Step, Perm], bool]

_UNARY = (
    "Cast", "Exp", "Gelu", "Identity", "LeakyRelu", "Log", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh", "Abs", "Neg", "Erf", "Floor",
    "HardSigmoid", "Softplus", "HardSwish", "Clip",
)  # fmt: skip
_BINARY = ("Add", "Mul", "Sub", "Div", "Sum", "Pow")
_REDUCE = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceL2", "ReduceSumSquare")

#: Kinds whose outputs are not transposed when a transpose is pushed into them: it is merged with them.
MOVED_BELOW = frozenset({"Transpose", "Reshape"})


def pushed_inputs(draft: Draft, step: Step) -> Sequence[int]:
    """The positions of the inputs that are transposed together."""
    if step.kind in _BINARY:
        return [i for i, value in enumerate(step.inputs) if draft.shape(value)]
    return range(len(step.inputs)) if step.kind == "Concat" else (0,)


def _simple(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    walk.transpose_inputs(step, perm)
    walk.transpose_outputs(step, perm)
    return True


def _broadcast(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    draft = walk.draft
    if any(len(draft.shape(step.inputs[i])) > len(perm) for i in pushed_inputs(draft, step)):
        return False
    for i in pushed_inputs(draft, step):
        value = step.inputs[i]
        missing = len(perm) - len(draft.shape(value))
        if missing:
            if draft.uses(value) > 1:
                raise Unsure("a transpose before a step whose weights others read too")
            if not draft.constant(value):
                raise Unsure("a transpose before a sum or product of values of different rank")
            old = draft.tensors[value]
            draft.feed(step, i, draft.new_value(Tensor((*[1] * missing, *old.shape), old.dtype, True, old.values), value))
    return _simple(walk, above, step, perm)


def _with_axis(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    if step.kind == "Softmax" and walk.opset < 13:
        raise Unsure("a transpose before a softmax of an old operator set")
    axis = int(step.attributes.get("axis", {"Split": 0, "Softmax": -1}.get(step.kind, 0)))  # type: ignore[arg-type]
    _simple(walk, above, step, perm)
    step.attributes["axis"] = perm[axis % len(perm)]
    return True


def _axes(walk: Transposes, step: Step, since: int, position: int = 1) -> list[int] | None:
    """The axes of a step, from its attribute before the operator set `since`; None when it states none."""
    if walk.opset < since:
        stated = step.attributes.get("axes")
        return list(stated) if isinstance(stated, tuple) else None  # type: ignore[arg-type]
    if len(step.inputs) <= position or not step.inputs[position]:
        return None
    tensor = walk.draft.tensors[step.inputs[position]]
    if tensor.values is None:
        raise Unsure(f"axes of a step of kind {step.kind} that are not known")
    return [int(a) for a in tensor.values]


def _set_axes(walk: Transposes, step: Step, axes: Sequence[int], since: int, position: int = 1) -> None:
    if walk.opset < since:
        step.attributes["axes"] = tuple(axes)
    else:
        dtype = walk.draft.tensors[step.inputs[position]].dtype
        walk.draft.feed(step, position, walk.draft.new_value(Tensor((len(axes),), dtype, True, tuple(axes)), "axes"))


def _reduce(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    since = 13 if step.kind == "ReduceSum" else 18
    axes = _axes(walk, step, since)
    if not axes:
        raise Unsure("a transpose before a reduction over everything")
    moved = sorted(perm[a % len(perm)] for a in axes)
    _set_axes(walk, step, moved, since)
    walk.transpose_input(step, 0, inverted(perm))
    walk.transpose_outputs(step, perm if step.attributes.get("keepdims", 1) else squeezed(perm, moved))
    return True


def _squeeze(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    axes = _axes(walk, step, 13)
    if axes is None:
        return False
    moved = sorted(perm[a % len(perm)] for a in axes)
    _set_axes(walk, step, moved, 13)
    walk.transpose_input(step, 0, inverted(perm))
    walk.transpose_outputs(step, squeezed(perm, moved))
    return True


def _unsqueeze(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    axes = _axes(walk, step, 13)
    if axes is None:
        return False
    rank = len(perm) + len(axes)
    walk.transpose_input(step, 0, inverted(perm))
    walk.transpose_outputs(step, unsqueezed(perm, [a % rank for a in axes]))
    return True


def _slice(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    if walk.opset < 10:
        raise Unsure("a transpose before a slice of an old operator set")
    axes = _axes(walk, step, 10, 3)
    if axes is None:
        raise Unsure("a transpose before a slice that names no axes")
    _set_axes(walk, step, [perm[a % len(perm)] for a in axes], 10, 3)
    walk.transpose_input(step, 0, inverted(perm))
    walk.transpose_outputs(step, perm)
    return True


def _gather(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    indices = len(walk.draft.shape(step.inputs[1]))
    if indices > 1 or not walk.draft.constant(step.inputs[1]):
        raise Unsure("a transpose before a gather of many indices")
    axis = perm[int(step.attributes.get("axis", 0)) % len(perm)]  # type: ignore[arg-type]
    walk.transpose_input(step, 0, inverted(perm))
    step.attributes["axis"] = axis
    walk.transpose_outputs(step, perm if indices else squeezed(perm, [axis]))
    return True


def _transpose(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    second = step.attributes.get("perm")
    return isinstance(second, tuple) and _merge(walk, above, step, perm, tuple(int(p) for p in second))


def _merge(walk: Transposes, above: Step, step: Step, perm: Perm, second: Perm) -> bool:
    """Two transposes become one, or none; `step` may be a reshape that does what a transpose does."""
    draft = walk.draft
    if second == inverted(perm):
        if step.outputs[0] in draft.results:
            raise Unsure("transposes that cancel before a result")
        draft.remove(step)
        draft.redirect(step.outputs[0], above.inputs[0])
    else:
        draft.remove(step)
        draft.add("Transpose", [above.inputs[0]], step.outputs, {"perm": compose(perm, second)}, step.name)
    walk.drop_if_unread(above)
    return True


def _reshape(walk: Transposes, above: Step, step: Step, perm: Perm) -> bool:
    """A reshape that only moves dimensions of size 1 is a transpose; one that only splits dimensions can do so before the transpose."""
    draft = walk.draft
    before, after = draft.shape(step.inputs[0]), draft.shape(step.outputs[0])
    if len(before) == len(after):
        moved = _moved_ones(before, after)
        return moved is not None and _merge(walk, above, step, perm, moved)
    groups = _groups(before, after)
    return groups is not None and _split_before(walk, above, step, perm, groups)


def _moved_ones(before: Sequence[int], after: Sequence[int]) -> Perm | None:
    """The permutation that a reshape is, when it leaves the order of all dimensions but those of size 1; None when it is none."""
    left: list[int | None] = list(before)
    found = []
    for wanted in after:
        for position, size in enumerate(left):
            if size == wanted:
                found.append(position)
                left[position] = None
                break
            if size is not None and size != 1 and wanted != 1:
                return None
        else:
            return None
    return tuple(found)


def _groups(before: Sequence[int], after: Sequence[int]) -> list[list[int]] | None:
    """The dimensions of `after` that each dimension of `before` is split into; None when some are put together."""
    groups, position = [], 0
    for size in before:
        group = list[int]()
        while (not group or math.prod(after[i] for i in group) < size) and position < len(after):
            group.append(position)
            position += 1
        if math.prod(after[i] for i in group) != size or not group:
            return None
        groups.append(group)
    return groups if position == len(after) else None


def _split_before(walk: Transposes, above: Step, step: Step, perm: Perm, groups: list[list[int]]) -> bool:
    """The dimensions are split before the transpose, which then orders all of their parts."""
    draft = walk.draft
    after, order = draft.shape(step.outputs[0]), [i for dimension in inverted(perm) for i in groups[dimension]]
    shape = tuple(after[i] for i in order)
    made = draft.new_value(Tensor(shape, draft.tensors[step.outputs[0]].dtype), step.outputs[0])
    draft.remove(step)
    draft.add("Reshape", [above.inputs[0], shape_constant(draft, shape)], [made], {}, step.name)
    draft.add("Transpose", [made], step.outputs, {"perm": inverted(tuple(order))}, f"{step.name}.transpose")
    walk.drop_if_unread(above)
    return True


#: Kind -> how a transpose is pushed through it.
PUSHES: dict[str, Push] = {
    **dict.fromkeys(_UNARY, _simple), **dict.fromkeys(_BINARY, _broadcast), **dict.fromkeys(_REDUCE, _reduce),
    "Concat": _with_axis, "Split": _with_axis, "Softmax": _with_axis, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Slice": _slice,
    "Gather": _gather, "Transpose": _transpose, "Reshape": _reshape,
}  # fmt: skip
