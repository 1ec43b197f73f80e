"""Operators that move nothing: they hand their input on under another shape.

Inside a network such an operator gives its output the memory of its input. Alone, between an input and an output of a model, it would have
to copy. Of a single element there is nothing to copy: that is how it is timed.
"""

from __future__ import annotations

from dataclasses import replace

from device_profiles.operators import Operator, Tensor

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})


def as_in_a_network(operator: Operator) -> Operator:
    """The operator to time for one inside a network: a view of a single element for a view, any other as it is.

    A view whose new shape is not known from constants stays as it is too.
    """
    if operator.kind not in VIEWS or len(operator.inputs) not in (1, 2) or len(operator.outputs) != 1:
        return operator
    data, *told = operator.inputs
    (view,) = operator.outputs
    if data is None or data.constant or not data.size or any(t is None or t.values is None for t in told):
        return operator
    if operator.kind == "Squeeze" and not told and operator.attribute("axes") is None:
        return operator
    if operator.kind == "Reshape":
        told = [replace(t, values=(1,) * t.size) for t in told if t is not None]
    return Operator(operator.kind, (_single(data), *told), (_single(view),), operator.attributes)


def _single(tensor: Tensor) -> Tensor:
    return replace(tensor, shape=(1,) * len(tensor.shape))
