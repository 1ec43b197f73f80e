"""Activations that exporters write as small graphs: x * sigmoid(x), x * Phi(x), x * hardsigmoid(x)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from device_profiles.lowering.draft import Draft, Step
from device_profiles.operators import AttributeValue

#: The operator set since which ONNX has Gelu itself.
GELU_OPSET = 20


def expand_functions(draft: Draft) -> None:
    """HardSwish has no kernel: x * HardSigmoid(x) runs in its place."""
    for step in draft.steps("HardSwish"):
        x, y = step.inputs[0], step.outputs[0]
        draft.remove(step)
        gate = draft.new_value(draft.tensors[y], f"{y}.gate")
        draft.add("HardSigmoid", [x], [gate], {"alpha": 1 / 6, "beta": 0.5}, f"{step.name}.gate")
        draft.add("Mul", [x, gate], [y], {}, step.name)


def fuse_quick_gelu(draft: Draft) -> None:
    """x * sigmoid(a * x) -> microsoft.QuickGelu."""
    for sigmoid in draft.steps("Sigmoid"):
        product = draft.only_reader(sigmoid.outputs[0])
        if product is None or product.kind != "Mul":
            continue
        other = _other(product, sigmoid.outputs[0])
        if other == sigmoid.inputs[0]:
            _replace(draft, "microsoft.QuickGelu", other, product, [sigmoid], {"alpha": 1.0})
            continue
        scale = draft.maker.get(sigmoid.inputs[0])
        if scale is not None and scale.kind == "Mul" and draft.only_reader(scale.outputs[0]) is sigmoid and other in scale.inputs:
            alpha = draft.scalar(_other(scale, other))
            if alpha is not None:
                _replace(draft, "microsoft.QuickGelu", other, product, [scale, sigmoid], {"alpha": alpha})


def fuse_gelu(draft: Draft, opset: int) -> bool:
    """0.5 * x * (1 + erf(x / sqrt(2))) -> Gelu, in the orders in which exporters write it; True when there was one."""
    found = False
    for erf in draft.steps("Erf"):
        scale, shift = draft.maker.get(erf.inputs[0]), draft.only_reader(erf.outputs[0])
        if scale is None or shift is None or draft.only_reader(scale.outputs[0]) is not erf:
            continue
        x = scale.inputs[0]
        if not _is(draft, scale, "Div", math.sqrt(2)) or not _is(draft, shift, "Add", 1.0):
            continue
        last, steps = _halved(draft, x, shift)
        if last is None:
            continue
        kind, attributes = ("Gelu", {"approximate": "none"}) if opset >= GELU_OPSET else ("microsoft.Gelu", {})
        _replace(draft, kind, x, last, [scale, erf, shift, *steps], attributes)
        found = True
    return found


def _halved(draft: Draft, x: str, shift: Step) -> tuple[Step | None, list[Step]]:
    """The last step of a gelu, which multiplies by x and by a half in either order, and those between."""
    product = draft.only_reader(shift.outputs[0])
    if product is None or product.kind != "Mul":
        return None, []
    other = _other(product, shift.outputs[0])
    if other == x:
        half = draft.only_reader(product.outputs[0])
        before = draft.maker.get(x)
        if half is None or not _is(draft, half, "Mul", 0.5) or (before is not None and before.kind == "Mul"):
            return None, []  # where x is a product itself, the runtime takes that for the half
        return half, [product]
    half = draft.maker.get(other)
    if half is not None and _is(draft, half, "Mul", 0.5) and x in half.inputs and draft.only_reader(other) is product:
        return product, [half]
    return None, []


def _is(draft: Draft, step: Step, kind: str, number: float) -> bool:
    """Whether a step applies this number; for a quotient it is the divisor."""
    if step.kind != kind:
        return False
    found = [draft.scalar(value) for value in (step.inputs[1:] if kind == "Div" else step.inputs)]
    return any(value is not None and math.isclose(value, number, rel_tol=1e-5) for value in found)


def _other(step: Step, value: str) -> str:
    """The input of a step of two inputs that is not `value`."""
    return step.inputs[1] if step.inputs[0] == value else step.inputs[0]


def _replace(draft: Draft, kind: str, x: str, last: Step, others: list[Step], attributes: Mapping[str, AttributeValue]) -> None:
    draft.remove(*others, last)
    draft.add(kind, [x], last.outputs, attributes, last.name)
