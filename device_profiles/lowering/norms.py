"""A sum behind which a layer norm stands runs inside it."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Step


def fuse_skips(draft: Draft) -> None:
    """Add of two equal shapes, read by nothing else, + LayerNormalization -> microsoft.SkipLayerNormalization."""
    for norm in draft.steps("LayerNormalization"):
        add = draft.maker.get(norm.inputs[0])
        if add is None or add.kind != "Add" or not _skips(draft, add):
            continue
        inputs = [*add.inputs, *norm.inputs[1:3]]
        for position in (0, 1):
            bias = draft.maker.get(add.inputs[position])
            if bias is not None and bias.kind == "Add" and _biased(draft, bias):
                inputs[position] = bias.inputs[0]
                inputs.append(bias.inputs[1])
                draft.remove(bias)
                break
        draft.remove(add, norm)
        attributes = {"epsilon": norm.attributes.get("epsilon", 1e-5)}
        draft.add("microsoft.SkipLayerNormalization", inputs, norm.outputs, attributes, norm.name)


def _skips(draft: Draft, add: Step) -> bool:
    first, second = (draft.shape(value) for value in add.inputs)
    return draft.only_reader(add.outputs[0]) is not None and len(first) == 3 and first == second


def _biased(draft: Draft, add: Step) -> bool:
    value, bias = add.inputs
    return (
        draft.only_reader(add.outputs[0]) is not None
        and draft.constant(bias)
        and len(draft.shape(value)) == 3
        and draft.shape(bias) == draft.shape(value)[2:]
    )
