"""Operators of older operator sets as those of the set that models are written in: what was an attribute then is an input now.

An `Operator` keeps the attributes that its file had. ONNX moved some of them to inputs and gave others up (compare "Changelog" of the ONNX
operator documentation); a model that still has them is refused by every runtime.
"""

from __future__ import annotations

from typing import Any

from device_profiles.operators import AttributeValue, Operator, Tensor

#: Kinds whose `axes` became their second input.
_AXES = (
    "Squeeze", "Unsqueeze", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip

#: Kind -> attribute -> the position of the input that it became.
MOVED: dict[str, dict[str, int]] = {
    "Clip": {"min": 1, "max": 2}, "Pad": {"pads": 1, "value": 2}, "Slice": {"starts": 1, "ends": 2, "axes": 3},
    "Split": {"split": 1}, "TopK": {"k": 1}, **{kind: {"axes": 1} for kind in _AXES},
}  # fmt: skip

#: Kind -> attributes that no longer exist, because only one of their values was ever run, or that say nothing of inference.
GONE: dict[str, tuple[str, ...]] = {"BatchNormalization": ("spatial",), "Dropout": ("ratio",)}

#: Inputs that are single numbers of the type of the data; `k` is a list of one, and the others are lists of whole numbers.
_SCALARS = frozenset({"min", "max", "value"})


def modern(operator: Operator) -> Operator:
    """The same operator without attributes that were moved or given up: constants that hold their values are added to its inputs."""
    moved, gone = MOVED.get(operator.kind, {}), GONE.get(operator.kind, ())
    values = {moved[name]: _constant(name, value, operator) for name, value in operator.attributes if name in moved}
    if operator.kind == "Split" and not values and len(operator.inputs) == 1 and operator.attribute("num_outputs") is None:
        axis = operator.attribute("axis", 0)  # equal parts went without saying
        values[1] = _constant("split", tuple(output.shape[axis] for output in operator.outputs), operator)
    if not values and not any(name in gone for name, _ in operator.attributes):
        return operator
    inputs = [*operator.inputs, *[None] * (max(values, default=0) + 1 - len(operator.inputs))]
    for position, tensor in values.items():
        inputs[position] = inputs[position] or tensor
    kept = tuple((name, value) for name, value in operator.attributes if name not in moved and name not in gone)
    return Operator(operator.kind, tuple(inputs), operator.outputs, kept)


def _constant(name: str, value: AttributeValue, operator: Operator) -> Tensor:
    values: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
    if name in _SCALARS:
        data = operator.inputs[0]
        return Tensor((), data.dtype if data is not None else "float32", constant=True, values=tuple(map(float, values)))
    return Tensor((len(values),), "int64", constant=True, values=tuple(map(int, values)))
