"""Steps that compute the same from the same are done once."""

from __future__ import annotations

from collections.abc import Sequence

from device_profiles.lowering.draft import Draft, Step, Unsure

#: Kinds whose weights differ: two of them that read the same value are not taken for equal because their content is not known.
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def merge_duplicates(draft: Draft) -> bool:
    """Leaves one of several steps of equal kind, attributes and inputs; True when one was taken out.

    Constants of equal content are equal. Raises Unsure where the content that decides is not known.
    """
    found = False
    while _merge_once(draft):
        found = True
    return found


def _merge_once(draft: Draft) -> bool:
    groups: dict[object, list[Step]] = {}
    for step in draft.steps():
        if step.inputs:
            groups.setdefault((step.kind, _look(draft, step.inputs[0])), []).append(step)
    merged = [_merge(draft, steps) for steps in groups.values() if len(steps) > 1]
    return any(merged)


def _merge(draft: Draft, steps: Sequence[Step]) -> bool:
    first: dict[object, Step] = {}
    alike: dict[object, object] = {}
    found = False
    for step in steps:
        if len(step.outputs) != 1 or not step.alive:
            continue
        key = _key(step, [_identity(draft, value) for value in step.inputs])
        kept = first.setdefault(key, step)
        if kept is not step:
            _drop(draft, step, kept.outputs[0])
            found = True
        elif _undecided(draft, step) and alike.setdefault(_key(step, [_look(draft, value) for value in step.inputs]), key) != key:
            raise Unsure(f"two steps of kind {step.kind} that may be the same")
    return found


def _undecided(draft: Draft, step: Step) -> bool:
    return step.kind not in _WEIGHTED and not all(map(draft.constant, filter(None, step.inputs)))


def _key(step: Step, inputs: list[object]) -> object:
    return step.kind, tuple(sorted(step.attributes.items())), tuple(inputs)


def _drop(draft: Draft, step: Step, kept: str) -> None:
    if kept in draft.results or step.outputs[0] in draft.results:
        raise Unsure(f"two equal steps of kind {step.kind}, one of which makes a result")
    draft.remove(step)
    draft.redirect(step.outputs[0], kept)


def _identity(draft: Draft, value: str) -> object:
    """What two inputs have in common when they are the same."""
    if value and value not in draft.made and draft.constant(value):
        tensor = draft.tensors[value]
        if tensor.values is not None:
            return (tensor.shape, tensor.dtype, tensor.values)
    return value


def _look(draft: Draft, value: str) -> object:
    """The same where the content of a constant is not known."""
    if value and value not in draft.made and draft.constant(value) and draft.tensors[value].values is None:
        return (draft.shape(value), draft.tensors[value].dtype)
    return _identity(draft, value)
