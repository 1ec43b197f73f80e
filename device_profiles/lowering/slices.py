"""Slices that take a value apart along one axis are one Split."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.operators import Tensor


def split_slices(draft: Draft, opset: int) -> None:
    """Slice x[:a] and x[a:] -> Split; three slices are left as they are. Raises Unsure where gathers read the value too."""
    for value in dict.fromkeys(step.inputs[0] for step in draft.steps("Slice")):
        readers = draft.readers[value]
        slices = [step for step in readers if step.kind == "Slice" and step.inputs[0] == value]
        if len(slices) < len(readers) and any(step.kind == "Gather" for step in readers):
            raise Unsure("gathers and slices of one value")
        pieces = {_piece(draft, step): step for step in slices}
        if len(slices) != 2 or len(pieces) != 2 or None in pieces or value not in draft.maker:
            continue
        (axis, start, middle), (other, after, end) = sorted(piece for piece in pieces if piece is not None)
        if axis == other and start == 0 and middle == after and end == draft.shape(value)[axis]:
            _split(draft, value, [pieces[axis, start, middle], pieces[other, after, end]], axis, opset)


def _piece(draft: Draft, step: Step) -> tuple[int, int, int] | None:
    """Axis, start and end of a slice along one axis with steps of 1; None for any other."""
    values = [draft.tensors[value].values if value else None for value in step.inputs[1:]]
    if len(values) < 3 or any(v is None or len(v) != 1 for v in values) or (len(values) > 3 and values[3] != (1,)):
        return None
    start, end, axis = (int(v[0]) for v in values[:3] if v is not None)
    shape = draft.shape(step.inputs[0])
    size = shape[axis % len(shape)]
    return axis % len(shape), start + size if start < 0 else min(start, size), end + size if end < 0 else min(end, size)


def _split(draft: Draft, value: str, steps: list[Step], axis: int, opset: int) -> None:
    if opset < 13:
        raise Unsure("slices that take a value apart, in an old operator set")
    parts = [step.outputs[0] for step in steps]
    sizes = tuple(draft.shape(part)[axis] for part in parts)
    draft.remove(*steps)
    read = [value, draft.new_value(Tensor((len(sizes),), "int64", True, sizes), "sizes")]
    draft.add("Split", read, parts, {"axis": axis}, f"{value}.split")
