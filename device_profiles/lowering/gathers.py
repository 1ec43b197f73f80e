"""Gathers that take every slice of a value along one axis are one Split."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Step
from device_profiles.operators import Tensor


def split_gathers(draft: Draft, opset: int) -> bool:
    """Gather with the indices 0 to n - 1 of an axis of n -> Split (+ Squeeze where the index is a scalar); True when there were any."""
    done = False
    for value in [step.inputs[0] for step in draft.steps("Gather")]:
        readers = draft.readers.get(value, [])
        found = {_index(draft, step, value) for step in readers}
        axes = {place[1] for place in found if place is not None}
        maker = draft.maker.get(value)
        if maker is None or len(maker.outputs) > 1 or len(readers) < 2 or None in found or len(axes) != 1 or len(found) != len(readers):
            continue
        (axis,) = axes
        indices = sorted(place[0] for place in found if place is not None)
        if indices == list(range(draft.shape(value)[axis])) and value not in draft.results:
            _split(draft, value, axis, list(readers), opset)
            done = True
    return done


def _index(draft: Draft, step: Step, value: str) -> tuple[int, int] | None:
    """Which slice a gather takes, and along which axis; None for anything else."""
    if step.kind != "Gather" or step.inputs[0] != value:
        return None
    tensor = draft.tensors[step.inputs[1]]
    if tensor.size != 1 or tensor.values is None:
        return None
    axis = int(step.attributes.get("axis", 0)) % len(draft.shape(value))  # type: ignore[arg-type]
    return int(tensor.values[0]) % draft.shape(value)[axis], axis


def _split(draft: Draft, value: str, axis: int, readers: list[Step], opset: int) -> None:
    tensor = draft.tensors[value]
    shape = (*tensor.shape[:axis], 1, *tensor.shape[axis + 1 :])
    parts: dict[int, str] = {}
    for step in readers:
        place = _index(draft, step, value)
        assert place is not None
        draft.remove(step)
        if draft.shape(step.inputs[1]):
            parts[place[0]] = step.outputs[0]
            continue
        parts[place[0]] = draft.new_value(Tensor(shape, tensor.dtype), value)
        axes = draft.new_value(Tensor((1,), "int64", True, (axis,)), "axes")
        inputs, stated = ([parts[place[0]], axes], {}) if opset >= 13 else ([parts[place[0]]], {"axes": (axis,)})
        draft.add("Squeeze", inputs, step.outputs, stated, step.name)
    sizes = draft.new_value(Tensor((len(parts),), "int64", True, (1,) * len(parts)), "sizes")
    read = [value, sizes] if opset >= 13 else [value]
    draft.add("Split", read, [parts[i] for i in sorted(parts)], {"axis": axis}, f"{value}.split")
