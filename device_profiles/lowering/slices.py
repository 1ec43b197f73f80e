"""Slices that take a value apart along one axis are one Split."""

from __future__ import annotations

from itertools import pairwise

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.operators import Tensor


def split_slices(draft: Draft, opset: int) -> None:
    """Slice x[0:a], x[a:b], ... of everything, by nothing else read -> Split. Raises Unsure for gathers among them."""
    for value in dict.fromkeys(step.inputs[0] for step in draft.steps("Slice")):
        readers = draft.readers.get(value, [])
        kinds = {step.kind for step in readers}
        if kinds == {"Slice", "Gather"}:
            raise Unsure("gathers and slices of one value")
        if kinds != {"Slice"} or len(readers) < 2 or draft.constant(value) or value in draft.results or value not in draft.maker:
            continue
        pieces = {_piece(draft, step): step for step in readers}
        ranges = sorted(piece for piece in pieces if piece is not None)
        if len(ranges) != len(readers) or len({axis for axis, _, _ in ranges}) != 1:
            continue
        axis, start, _ = ranges[0]
        if start == 0 and ranges[-1][2] == draft.shape(value)[axis] and all(a[2] == b[1] for a, b in pairwise(ranges)):
            _split(draft, value, [pieces[piece] for piece in ranges], axis, opset)


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
