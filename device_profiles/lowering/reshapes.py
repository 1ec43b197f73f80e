"""Changes of shape that follow each other are one."""

from __future__ import annotations

from device_profiles.lowering.draft import Draft
from device_profiles.lowering.linear import shape_constant


def merge_reshapes(draft: Draft) -> bool:
    """Reshape, then Reshape, Squeeze or Unsqueeze -> one Reshape; True when there was one."""
    found = False
    for step in draft.steps("Reshape"):
        last = []
        after = draft.only_reader(step.outputs[0])
        while after is not None and after.kind in ("Reshape", "Squeeze", "Unsqueeze"):
            last.append(after)
            after = draft.only_reader(after.outputs[0])
        if last:
            draft.absorb(step, *last)
            draft.feed(step, 1, shape_constant(draft, draft.shape(step.outputs[0])))
            step.attributes = {}
            found = True
    return found
