from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from predictors.features import family
from predictors.kinds import FAMILIES
from predictors.totals import TOTALS, by_group, network_totals


def test_by_hand(lab: SimpleNamespace) -> None:
    relu, dense = lab.elementwise("Relu", 1, 4, 5, 5), lab.gemm(1, 100, 10)
    row = dict(zip(TOTALS, network_totals([lab.chain([relu, dense, relu])])[0], strict=True))
    assert row["call"] == 1
    assert [row[f"unary_{name}"] for name in ("kernels", "macs", "element_steps", "activation_bytes", "weight_bytes")] == [
        2,
        0,
        200,
        1600,
        0,
    ]
    assert [row["matmul_kernels"], row["matmul_macs"], row["matmul_weight_bytes"]] == [1, 1000, dense.weight_bytes]
    assert sum(value for name, value in row.items() if name.endswith("kernels")) == 3


def test_totals_add_up_over_operators(lab: SimpleNamespace) -> None:
    operators = lab.some_operators(40)
    whole = network_totals([lab.chain(operators)])[0]
    single = network_totals([lab.chain([op]) for op in operators])
    np.testing.assert_allclose(whole[1:], single[:, 1:].sum(axis=0))
    assert whole[TOTALS.index("conv_macs")] == sum(op.macs for op in operators if family(op) == "conv")


def test_no_network_is_no_row() -> None:
    assert network_totals([]).shape == (0, len(TOTALS))


def test_groups_keep_the_sum() -> None:
    columns = np.random.default_rng(0).random((7, len(TOTALS)))
    groups = by_group(columns)
    assert groups.shape == (7, 1 + len(FAMILIES))
    np.testing.assert_array_equal(groups[:, 0], columns[:, 0])
    assert groups.sum(axis=1) == pytest.approx(columns.sum(axis=1))
