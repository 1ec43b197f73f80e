"""Slices that take a value apart along one axis are one Split."""

from __future__ import annotations

from itertools import pairwise

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.operators import Tensor


def split_slices(draft: Draft, opset: int) -> None:
    """Slice x[:a], x[a:b], ... of the only output of a step -> Split. Raises Unsure where gathers read the value too."""
    for value in dict.fromkeys(step.inputs[0] for step in draft.steps("Slice")):
        readers = draft.readers[value]
        slices = [step for step in readers if step.kind == "Slice" and step.inputs[0] == value]
        if len(slices) < len(readers) and any(step.kind == "Gather" for step in readers):
            raise Unsure("gathers and slices of one value")
        maker = draft.maker.get(value)
        if len(slices) < 2 or maker is None or len(maker.outputs) > 1:
            continue
        pieces = {_piece(draft, step): step for step in slices}
        ranges = sorted(piece for piece in pieces if piece is not None)
        if len(ranges) == len(slices) and len({axis for axis, _, _ in ranges}) == 1 and _cover(ranges, draft.shape(value)[ranges[0][0]]):
            _split(draft, value, [pieces[piece] for piece in ranges], ranges[0][0], opset)


def _cover(ranges: list[tuple[int, int, int]], size: int) -> bool:
    """Whether ranges along one axis, in order, follow each other from the first to the last element."""
    return ranges[0][1] == 0 and ranges[-1][2] == size and all(a[2] == b[1] for a, b in pairwise(ranges))


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
