"""Steps that compute the same from the same are done once."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Unsure

#: Constants of at most so many elements are one when their content is equal.
_SHARED = 8


def merge_duplicates(draft: Draft) -> bool:
    """Leaves one of several steps of equal kind, attributes and inputs; True when one was taken out."""
    first: dict[object, str] = {}
    found = False
    for step in draft.ordered():
        if len(step.outputs) != 1:
            continue
        key = (step.kind, tuple(sorted(step.attributes.items())), tuple(_identity(draft, value) for value in step.inputs))
        kept = first.setdefault(key, step.outputs[0])
        if kept == step.outputs[0]:
            continue
        if kept in draft.results or step.outputs[0] in draft.results:
            raise Unsure(f"two equal steps of kind {step.kind}, one of which makes a result")
        draft.remove(step)
        draft.redirect(step.outputs[0], kept)
        found = True
    return found


def _identity(draft: Draft, value: str) -> object:
    """What two inputs have in common when they are the same."""
    if value and value not in draft.made and draft.constant(value):
        tensor = draft.tensors[value]
        if tensor.values is not None and tensor.size <= _SHARED:
            return (tensor.shape, tensor.dtype, tensor.values)
    return value
