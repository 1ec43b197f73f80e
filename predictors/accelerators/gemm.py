"""Convolutions and fully connected layers as matrix products, which is what arrays compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

from device_profiles.operators import Operator
from predictors.features import COLUMN, feature_matrix
from predictors.kinds import activation_of, element_work


@dataclass(frozen=True, slots=True)
class Gemm:
    """`repeats` products of `(rows, inner)` by `(inner, columns)`; `stored` says whether the second factor is a weight.

    For a convolution (im2col): rows are output positions, inner the window of one group, columns the output channels of one group, and
    there is one product per group.
    """

    rows: int
    inner: int
    columns: int
    repeats: int = 1
    stored: bool = True

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations."""
        return self.rows * self.inner * self.columns * self.repeats


def as_gemms(op: Operator) -> list[Gemm]:
    """The matrix products of an operator; none where it multiplies nothing. Several kernels fused in one give those of each."""
    if op.attribute("steps") is not None:
        from device_profiles.graphs.group_network import as_network

        return [gemm for part in as_network(op).operators for gemm in as_gemms(part)]
    if op.macs <= 0:
        return []
    if op.base_kind in ("Conv", "ConvInteger", "QLinearConv"):
        return [_convolution(op)]
    return [_transposed(op)] if op.base_kind == "ConvTranspose" else [_product(op)]


def vector_steps(op: Operator) -> int:
    """Element steps of what an operator does beside matrix products, and of a fused activation."""
    fused = element_work(activation_of(op)) * sum(t.size for t in op.outputs)
    return math.ceil(float(feature_matrix([op])[0][COLUMN["element_steps"]]) + fused)


def moved_elements(op: Operator) -> tuple[int, int, int]:
    """Elements of the activations read, of the weights, and of the results."""
    read = sum(t.size for t in op.inputs if t is not None and not t.constant)
    return read, op.params, sum(t.size for t in op.outputs)


def _convolution(op: Operator) -> Gemm:
    weight = op.inputs[3 if op.base_kind == "QLinearConv" else 1]
    groups = max(int(op.attribute("group", 1)), 1)
    inner = math.prod(weight.shape[1:]) if weight is not None else 1
    columns = max((weight.shape[0] if weight is not None else 1) // groups, 1)
    return Gemm(math.ceil(op.macs / (inner * columns * groups)), inner, columns, groups)


def _transposed(op: Operator) -> Gemm:
    """Every input position gives a patch of the output: (positions, channels in) by (channels in, patch)."""
    weight = op.inputs[1]
    groups = max(int(op.attribute("group", 1)), 1)
    inner = max((weight.shape[0] if weight is not None else 1) // groups, 1)
    columns = math.prod(weight.shape[1:]) if weight is not None else 1
    return Gemm(math.ceil(op.macs / (inner * columns * groups)), inner, columns, groups)


def _product(op: Operator) -> Gemm:
    out = op.outputs[0]
    second = op.inputs[3] if op.base_kind in ("QLinearMatMul", "QGemm") and len(op.inputs) > 3 else op.inputs[1]
    stored = second is not None and second.constant
    columns = max(out.shape[-1], 1) if out.shape else 1
    inner = max(op.macs // out.size, 1)
    if stored or len(out.shape) < 3:
        return Gemm(out.size // columns, inner, columns, 1, stored)
    batch = math.prod(out.shape[:-2])
    return Gemm(out.shape[-2], inner, columns, batch, stored)
