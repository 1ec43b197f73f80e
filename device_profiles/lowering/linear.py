"""Linear layers: a product with a matrix and the addition of a bias are one Gemm, on two dimensions."""

from __future__ import annotations

import math

from device_profiles.lowering.draft import Draft, Step
from device_profiles.operators import Tensor


def fuse_bias(draft: Draft) -> bool:
    """MatMul + Add -> Gemm, with changes of shape around it where the input has not two dimensions; True when there was one."""
    found = False
    for product in draft.steps("MatMul"):
        add = draft.only_reader(product.outputs[0])
        if add is None or add.kind != "Add" or draft.tensors[product.outputs[0]].dtype != "float32":
            continue
        bias = add.inputs[1] if add.inputs[0] == product.outputs[0] else add.inputs[0]
        x, weights = product.inputs
        if len(draft.shape(weights)) != 2 or not _fits(draft, bias, x, weights):
            continue
        draft.remove(product, add)
        if len(draft.shape(x)) == 2:
            draft.add("Gemm", [x, weights, bias], add.outputs, {}, product.name)
        else:
            _on_two_dimensions(draft, product, bias, add)
        found = True
    return found


def _fits(draft: Draft, bias: str, x: str, weights: str) -> bool:
    """Whether the bias can be given to a Gemm."""
    shape, n, rows = draft.shape(bias), draft.shape(weights)[1], draft.shape(x)
    if shape == (n,):
        return True
    return len(rows) == 2 and shape in ((1, n), (rows[0], 1), (rows[0], n))


def _on_two_dimensions(draft: Draft, product: Step, bias: str, add: Step) -> None:
    x, weights = product.inputs
    shape, (k, n) = draft.shape(x), draft.shape(weights)
    rows = math.prod(shape[:-1])
    flat = draft.new_value(Tensor((rows, k)), x)
    result = draft.new_value(Tensor((rows, n)), add.outputs[0])
    draft.add("Reshape", [x, shape_constant(draft, (rows, k))], [flat], {}, f"{product.name}.rows")
    draft.add("Gemm", [flat, weights, bias], [result], {}, product.name)
    draft.add("Reshape", [result, shape_constant(draft, (*shape[:-1], n))], add.outputs, {}, f"{product.name}.shape")


def shape_constant(draft: Draft, shape: tuple[int, ...]) -> str:
    """A new constant that holds a shape."""
    return draft.new_value(Tensor((len(shape),), "int64", constant=True, values=shape), "shape")
