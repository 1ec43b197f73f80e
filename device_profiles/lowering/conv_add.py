"""Sums that run inside a convolution that was left in the layout of images."""

from __future__ import annotations

from device_profiles.lowering.activations import activation_attributes
from device_profiles.lowering.draft import Draft, Step


def fuse_sums(draft: Draft) -> None:
    """Conv + Add (+ activation) -> microsoft.FusedConv of four inputs; the convolution needs a bias, and nothing else may read it."""
    for conv in draft.steps("Conv"):
        if not conv.alive or conv.kind != "Conv" or draft.tensors[conv.outputs[0]].dtype != "float32":
            continue
        add = draft.only_reader(conv.outputs[0])
        if add is None or add.kind != "Add" or not _equal_images(draft, add):
            continue
        for value in add.inputs:
            maker = draft.maker.get(value)
            if maker is not None and maker.kind == "Conv" and len(maker.inputs) == 3 and draft.uses(value) == 1:
                _fuse(draft, maker, add)
                break


def _equal_images(draft: Draft, add: Step) -> bool:
    shapes = [draft.shape(value) for value in add.inputs]
    return len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 4


def _fuse(draft: Draft, conv: Step, add: Step) -> None:
    other = add.inputs[1] if add.inputs[0] == conv.outputs[0] else add.inputs[0]
    after = draft.only_reader(add.outputs[0])
    attributes = None if after is None else activation_attributes(draft, after)
    conv.kind = "microsoft.FusedConv"
    draft.absorb(conv, add)
    draft.append(conv, other)
    if after is not None and attributes is not None:
        conv.attributes = {**conv.attributes, **attributes}
        draft.absorb(conv, after)
