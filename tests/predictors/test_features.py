from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.operators import Operator, Tensor
from predictors.features import COLUMN, FAMILY_COLUMNS, FEATURES, family, feature_matrix
from predictors.kinds import FAMILIES


def feature(op: Operator, name: str) -> float:
    return float(feature_matrix([op])[0, COLUMN[name]])


def test_names_are_distinct_and_end_with_the_families() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert FEATURES[FAMILY_COLUMNS] == tuple(f"family_{name}" for name in FAMILIES)


def test_no_operators_give_no_rows() -> None:
    assert feature_matrix([]).shape == (0, len(FEATURES))


def test_a_strided_rectangular_convolution() -> None:
    weight = Tensor((48, 8, 3, 5), constant=True)
    attributes = (("dilations", (1, 2)), ("group", 2), ("kernel_shape", (3, 5)), ("pads", (1, 4, 1, 4)), ("strides", (2, 1)))
    op = Operator("Conv", (Tensor((2, 16, 20, 30)), weight), (Tensor((2, 48, 10, 30)),), attributes)
    expected = {
        "macs": 2 * 48 * 10 * 30 * 8 * 15, "params": 48 * 8 * 15, "batch": 2, "channels_in": 16, "channels_out": 48, "height_in": 20,
        "width_in": 30, "height_out": 10, "width_out": 30, "kernel_h": 3, "kernel_w": 5, "stride_h": 2, "stride_w": 1, "dilation_h": 1,
        "dilation_w": 2, "padding": 10, "groups": 2, "group_channels_in": 8, "group_channels_out": 24, "weight_bytes": 48 * 8 * 15 * 4,
        "read_bytes": 2 * 16 * 20 * 30 * 4, "written_bytes": 2 * 48 * 10 * 30 * 4, "family_grouped": 1, "nchwc": 0, "rank": 4,
        "channels_out_mod8": 0, "channels_out_mod64": 48, "width_out_mod8": 6, "bias": 0,
    }  # fmt: skip
    assert {name: feature(op, name) for name in expected} == expected


def test_intensity_is_macs_per_byte(lab: SimpleNamespace) -> None:
    op = lab.conv(16, 32, 8)
    assert feature(op, "intensity") == pytest.approx(op.macs / (op.read_bytes + op.written_bytes))
    assert feature(op, "macs_per_output") == 16


def test_families_of_convolutions(lab: SimpleNamespace) -> None:
    assert family(lab.conv(16, 32, 8)) == "pointwise"
    assert family(lab.conv(16, 32, 8, kernel=3)) == "conv"
    assert family(lab.conv(32, 32, 8, kernel=3, groups=32)) == "depthwise"
    assert family(lab.conv(32, 32, 8, kernel=3, groups=4)) == "grouped"
    assert family(lab.conv(16, 32, 8, kind="microsoft.FusedConv")) == "pointwise"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Relu", "unary"), ("Sigmoid", "transcendental"), ("microsoft.Gelu", "transcendental"), ("Flatten", "reshape"),
        ("Softmax", "softmax"),
        ("nchwc.GlobalAveragePool", "global_pool"), ("nchwc.ReorderOutput", "reorder"), ("microsoft.NhwcMaxPool", "pool"),
        ("microsoft.FusedMatMul", "matmul"), ("Quux", "other"), ("vendor.domain.Quux", "other"),
    ],
)  # fmt: skip
def test_families_of_other_kinds(lab: SimpleNamespace, kind: str, expected: str) -> None:
    assert family(lab.elementwise(kind, 1, 8, 4, 4)) == expected


def test_fused_activation_and_residual_are_seen(lab: SimpleNamespace) -> None:
    plain = lab.conv(16, 16, 8)
    residual = Operator(plain.kind, (*plain.inputs, plain.outputs[0]), plain.outputs, plain.attributes)
    sigmoid = Operator(plain.kind, plain.inputs, plain.outputs, (("activation", "Sigmoid"), ("kernel_shape", (1, 1))))
    assert (feature(plain, "residual"), feature(residual, "residual")) == (0, 1)
    assert feature(plain, "activation_steps") == 0 < feature(sigmoid, "activation_steps")  # a Relu is a bound that the kernel keeps anyway


def test_channels_last_is_read_from_the_kind(lab: SimpleNamespace) -> None:
    op = Operator("microsoft.NhwcMaxPool", (Tensor((1, 7, 9, 32)),), (Tensor((1, 5, 7, 32)),), (("kernel_shape", (3, 3)),))
    assert [feature(op, n) for n in ("channels_in", "height_in", "width_in", "nhwc")] == [32, 7, 9, 1]


def test_matmul_rows_inner_columns() -> None:
    op = Operator("microsoft.FusedMatMul", (Tensor((4, 12, 197, 64)), Tensor((4, 12, 64, 197))), (Tensor((4, 12, 197, 197)),))
    assert [feature(op, n) for n in ("batch", "height_out", "channels_in", "channels_out")] == [48, 197, 64, 197]


def test_shared_borders_count_as_slow_outputs(lab: SimpleNamespace) -> None:
    assert feature(lab.conv(16, 16, 8), "interior") == 1
    assert feature(lab.conv(16, 16, 8, kernel=3), "interior") == pytest.approx((6 / 8) ** 2)
    assert feature(lab.conv(16, 16, 2, kernel=5), "interior") == 0


def test_smaller_types_move_fewer_bytes(lab: SimpleNamespace) -> None:
    wide = lab.elementwise("Relu", 1, 16, 8, 8)
    narrow = Operator("Relu", (Tensor((1, 16, 8, 8), "int8"),), (Tensor((1, 16, 8, 8), "int8"),))
    assert feature(wide, "read_bytes") == 4 * feature(narrow, "read_bytes")
    assert feature(narrow, "item_bytes") == 1


shapes = st.lists(st.integers(0, 70_000), min_size=1, max_size=5).map(tuple)
tensors = st.builds(Tensor, shapes, st.sampled_from(["float32", "int8", "bool", "string", "unheard"]), st.booleans())
kinds = st.sampled_from(
    [
        "Conv",
        "nchwc.Conv",
        "ConvTranspose",
        "QLinearConv",
        "Gemm",
        "MatMul",
        "MaxPool",
        "Softmax",
        "Add",
        "Concat",
        "Transpose",
        "Flatten",
        "Odd",
    ]
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "strides": st.sampled_from([(1, 1), (2, 2), (3,), (0, 0), ()]), "pads": st.sampled_from([(1, 1, 1, 1), (2, 1), (), (-1, 0, 0, 0)]),
        "kernel_shape": st.sampled_from([(3, 3), (7,), (1, 1, 1), ()]), "group": st.integers(0, 9), "axis": st.integers(-7, 7),
        "perm": st.sampled_from([(0, 2, 1), (1, 0), ()]), "activation": st.sampled_from(["Relu", "Sigmoid", "Odd"]),
    },
)  # fmt: skip


@settings(max_examples=60)
@given(kinds, st.lists(st.none() | tensors, max_size=5), st.lists(tensors, max_size=2), attributes)
def test_every_operator_has_finite_features(
    kind: str, inputs: list[Tensor | None], outputs: list[Tensor], extra: dict[str, object]
) -> None:
    X = feature_matrix([Operator(kind, tuple(inputs), tuple(outputs), tuple(sorted(extra.items())))])  # type: ignore[arg-type]
    assert np.isfinite(X).all()
    assert (X >= 0).all()
    assert np.isfinite(X.astype(np.float32)).all()
    assert X[0, FAMILY_COLUMNS].sum() == 1


def inner(op: Operator) -> tuple[float, float]:
    return feature(op, "inner_length"), feature(op, "behind")


def test_what_lies_behind_the_axis_that_a_kernel_works_on() -> None:
    x = Tensor((2, 3, 5, 7))
    axes = Tensor((2,), "int64", constant=True, values=(1, 2))
    assert inner(Operator("Softmax", (x,), (x,), (("axis", -1),))) == (7, 1)
    assert inner(Operator("Softmax", (x,), (x,), (("axis", 1),))) == (3 * 5 * 7, 5 * 7)
    assert inner(Operator("ReduceMean", (x, axes), (Tensor((2, 7)),))) == (3 * 5 * 7, 7)
    assert inner(Operator("ReduceMean", (x,), (Tensor((2, 3, 5, 1)),), (("axes", (3,)),))) == (7, 1)
    assert inner(Operator("Relu", (x,), (x,))) == (0, 0)
    assert inner(Operator("Softmax", (x,), (x,), (("axis", 9),))) == (0, 0)


@pytest.mark.parametrize("name", ["perm", "axes"])
@pytest.mark.parametrize("value", [("a", "b"), (1.5, float("nan")), (99, -99), (), "text", 1])
def test_an_unknown_operator_may_call_anything_by_any_name(name: str, value: object) -> None:
    x = Tensor((3, 5))
    rows = feature_matrix([Operator("custom.Odd", (x,), (x,), ((name, value),))])  # type: ignore[arg-type]
    assert np.isfinite(rows).all()
    assert (rows >= 0).all()


def test_what_stays_together_in_a_transposition() -> None:
    def transposed(*perm: int) -> tuple[float, float]:
        x = Tensor((2, 3, 5, 7))
        return inner(Operator("Transpose", (x,), (Tensor(tuple(x.shape[i] for i in perm)),), (("perm", perm),)))

    assert transposed(0, 2, 1, 3) == (7, 1)
    assert transposed(1, 0, 2, 3) == (5 * 7, 1)
    assert transposed(0, 1, 3, 2) == (1, 7)
    assert transposed(0, 2, 3, 1) == (1, 5 * 7)


def test_small_powers_are_products_and_smooth_enlargements_weigh_neighbours() -> None:
    x = Tensor((1, 8, 4, 4))

    def power(*exponent: float) -> float:
        values = exponent or None
        return feature(Operator("Pow", (x, Tensor((), constant=values is not None, values=values)), (x,)), "element_steps")

    assert power(2.0) < power(3.0) < power(1.7) == power()
    scales, large = Tensor((4,), constant=True, values=(1.0, 1.0, 2.0, 2.0)), Tensor((1, 8, 8, 8))
    nearest, linear, cubic = (
        feature(Operator("Resize", (x, None, scales), (large,), (("mode", mode),)), "element_steps")
        for mode in ("nearest", "linear", "cubic")
    )
    assert large.size == nearest < linear < cubic
