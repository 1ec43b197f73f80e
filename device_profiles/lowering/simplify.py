"""Steps that hand on what they get, or do nothing to it, are taken out."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Step, Unsure

#: Kinds -> the constant that makes them do nothing at input 1, and whether it may stand at input 0 as well.
_NEUTRAL_NUMBERS = {"Add": (0.0, True), "Sub": (0.0, False), "Mul": (1.0, True), "Div": (1.0, False)}

#: The end of a slice that goes to the last element.
_LAST = 2**63 - 1


def remove_passes(draft: Draft) -> None:
    """Takes out identities and dropouts: two constants that are one remain one."""
    for step in draft.steps("Identity", "Dropout"):
        _bypass(draft, step)


def remove_idle(draft: Draft) -> bool:
    """Takes out casts to the same type, slices and expansions of everything, and arithmetic with 0 or 1."""
    found = False
    for step in draft.steps():
        if _idle(draft, step):
            found |= _bypass(draft, step)
    return found


def _idle(draft: Draft, step: Step) -> bool:
    kind = step.kind
    if kind == "Cast":
        return draft.tensors[step.inputs[0]].dtype == draft.tensors[step.outputs[0]].dtype
    if kind == "Expand":
        return draft.shape(step.inputs[0]) == draft.shape(step.outputs[0]) and all(map(draft.constant, step.inputs[1:]))
    if kind == "Slice":
        return _takes_all(draft, step)
    if kind in _NEUTRAL_NUMBERS:
        number, either = _NEUTRAL_NUMBERS[kind]
        for position in (1, 0) if either else (1,):
            value, other = step.inputs[position], step.inputs[1 - position]
            if draft.tensors[value].size == 1 and draft.scalar(value) == number and len(draft.shape(value)) <= len(draft.shape(other)):
                if position == 0:
                    step.inputs.reverse()
                return True
    return False


def _takes_all(draft: Draft, step: Step) -> bool:
    """Whether a slice says that it goes from the first to the last, whatever the size is."""
    if len(step.inputs) < 3:
        raise Unsure("a slice of an old operator set")
    starts, ends = (draft.tensors[value].values for value in step.inputs[1:3])
    steps = draft.tensors[step.inputs[4]].values if len(step.inputs) > 4 and step.inputs[4] else (1,)
    return starts is not None and ends is not None and steps is not None and (set(starts), set(ends), set(steps)) == ({0}, {_LAST}, {1})


def _bypass(draft: Draft, step: Step) -> bool:
    """Lets the readers of a step read what it reads; False when it must stay because it makes a result of the network."""
    source, result = step.inputs[0], step.outputs[0]
    if result not in draft.results:
        draft.remove(step)
        draft.redirect(result, source)
        return True
    maker = draft.maker.get(source)
    if maker is None or source in draft.results or draft.uses(source) > 1 or step.kind not in ("Identity", "Dropout"):
        raise Unsure(f"{step.kind} makes a result of the network")
    draft.remove(step)
    maker.outputs[maker.outputs.index(source)] = result
    draft.maker[result] = maker
    return True
