"""Does a network hold together? The stock ONNX checker accepts a convolution whose weights have the wrong number of input channels."""

from __future__ import annotations

from device_profiles.errors import InputError
from device_profiles.operators import MAX_SIZE, Network, Node, Tensor

#: More dimensions than this no kernel takes.
MAX_RANK = 64


def validate(network: Network) -> None:
    """Checks weights against the values they meet. Raises InputError that names the first node that cannot run."""
    for node in network.nodes:
        for tensor in (*node.operator.inputs, *node.operator.outputs):
            if tensor is not None and min(tensor.shape, default=0) < 0:
                raise _wrong(node, f"a tensor has the negative shape {tensor.shape}")
            if tensor is not None and (len(tensor.shape) > MAX_RANK or tensor.size >= MAX_SIZE):
                raise _wrong(node, f"no device holds a tensor of the shape {str(tensor.shape)[:60]}")
        inputs = node.operator.inputs
        if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
            continue
        kind = node.operator.kind
        if kind == "Conv":
            _convolution(node, inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None)
        elif kind == "Gemm":
            _gemm(node, inputs[0], inputs[1])
        elif kind == "MatMul":
            _matmul(node, inputs[0], inputs[1])


def _wrong(node: Node, what: str) -> InputError:
    return InputError(f"node {node.name!r} ({node.operator.kind}) cannot run: {what}")


def _convolution(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    group = node.operator.attribute("group", 1)
    if len(x.shape) != len(weight.shape) or len(x.shape) < 3:
        raise _wrong(node, f"weights {weight.shape} do not fit an input of {len(x.shape)} dimensions")
    if weight.shape[1] * group != x.shape[1]:
        raise _wrong(
            node, f"weights {weight.shape} with group {group} take {weight.shape[1] * group} input channels, the input has {x.shape[1]}"
        )
    if weight.shape[0] % group:
        raise _wrong(node, f"{weight.shape[0]} output channels cannot be divided into {group} groups")
    kernel = node.operator.attribute("kernel_shape")
    if kernel is not None and tuple(kernel) != weight.shape[2:]:
        raise _wrong(node, f"kernel_shape {tuple(kernel)} is not that of the weights {weight.shape}")
    if bias is not None and bias.shape != (weight.shape[0],):
        raise _wrong(node, f"the bias has shape {bias.shape}, {(weight.shape[0],)} is needed")


def _gemm(node: Node, a: Tensor, b: Tensor) -> None:
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise _wrong(node, f"both operands must be matrices, got {a.shape} and {b.shape}")
    inner_a = a.shape[0] if node.operator.attribute("transA", 0) else a.shape[1]
    inner_b = b.shape[1] if node.operator.attribute("transB", 0) else b.shape[0]
    if inner_a != inner_b:
        raise _wrong(node, f"the inner dimensions {inner_a} and {inner_b} differ")


def _matmul(node: Node, a: Tensor, b: Tensor) -> None:
    if not a.shape or not b.shape:
        raise _wrong(node, "an operand is a scalar")
    inner_b = b.shape[-2] if len(b.shape) > 1 else b.shape[0]
    if a.shape[-1] != inner_b:
        raise _wrong(node, f"the inner dimensions {a.shape[-1]} and {inner_b} differ")
