"""What follows a convolution and is linear per channel is multiplied into its weights: batch norm, scales, offsets."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Step
from device_profiles.operators import Tensor


def fold_into_weights(draft: Draft) -> bool:
    """Conv + BatchNormalization, Conv + Mul, Conv + Add with constants of one number per channel; True when there was one."""
    found = False
    for conv in draft.steps("Conv"):
        while (after := _foldable(draft, conv)) is not None:
            _fold(draft, conv, after)
            found = True
    return found


def _foldable(draft: Draft, conv: Step) -> Step | None:
    """The step after a convolution with constant weights that can be folded into them."""
    after = draft.only_reader(conv.outputs[0])
    if after is None or after.inputs[0] != conv.outputs[0]:
        return None
    if not all(map(draft.constant, conv.inputs[1:])):
        return None
    channels, rank = draft.shape(conv.inputs[1])[0], len(draft.shape(conv.inputs[1]))
    if after.kind == "BatchNormalization":
        shapes = {draft.shape(value) for value in after.inputs[1:5]}
        return after if len(after.outputs) == 1 and shapes == {(channels,)} and all(map(draft.constant, after.inputs[1:5])) else None
    if after.kind not in ("Add", "Mul") or not draft.constant(after.inputs[1]):
        return None
    shape = draft.shape(after.inputs[1])
    per_channel = (channels, *[1] * (rank - 2))
    return after if shape in (per_channel, (1, *per_channel)) or (after.kind == "Mul" and shape == ()) else None


def _fold(draft: Draft, conv: Step, after: Step) -> None:
    if after.kind != "Mul" and len(conv.inputs) < 3:
        weights = draft.tensors[conv.inputs[1]]
        draft.append(conv, draft.new_value(Tensor(weights.shape[:1], weights.dtype, constant=True), f"{conv.name}.bias"))
    draft.absorb(conv, after)
