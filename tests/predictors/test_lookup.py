from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from predictors.features import feature_matrix
from predictors.lookup import LookupTable
from predictors.roofline import Roofline


@pytest.fixture
def measured(lab: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise convolutions whose efficiency swings with the channels, which no roofline knows."""
    operators = [lab.conv(c, o, size) for c in range(16, 145, 16) for o in range(16, 145, 32) for size in (7, 14)]
    X = feature_matrix(operators)
    return X, np.array([lab.true_ms(op) * (1 + 0.4 * np.sin(op.inputs[0].shape[1] / 40)) for op in operators])


def test_measured_rows_get_their_measured_values(measured: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = measured
    table = LookupTable().fit(X, y)
    assert table.predict(X).tolist() == y.tolist()
    assert table.find(X).tolist() == list(range(len(y)))


def test_between_measurements_it_beats_the_base(lab: SimpleNamespace, measured: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = measured
    out = np.arange(len(y)) % 4 == 1
    table = LookupTable().fit(X[~out], y[~out])
    assert (table.find(X[out]) == -1).all()
    errors, base_errors = (np.abs(model.predict(X[out]) / y[out] - 1).mean() for model in (table, table.base_))
    assert errors < 0.3 * base_errors


def test_outside_it_is_the_base(lab: SimpleNamespace, measured: tuple[np.ndarray, np.ndarray]) -> None:
    table = LookupTable().fit(*measured)
    other = feature_matrix([lab.elementwise("Sigmoid", 1, 64, 14, 14), lab.gemm(1, 64, 10)])
    assert table.predict(other).tolist() == table.base_.predict(other).tolist()
    assert table.support(other).tolist() == [0, 0]


def test_a_feature_that_never_changed_still_separates(lab: SimpleNamespace) -> None:
    """All measured kernels are 3 x 3: a 7 x 7 one must not look like one of them."""
    operators = [lab.conv(c, 32, size, kernel=3) for c in (16, 32, 48, 64) for size in (7, 14, 28)]
    table = LookupTable().fit(feature_matrix([*operators, lab.gemm(1, 8, 8)]), [lab.true_ms(op) for op in operators] + [0.1])
    near, far = table.support(feature_matrix([lab.conv(40, 32, 14, kernel=3), lab.conv(40, 32, 14, kernel=7)]))
    assert near > far


def test_equal_rows_become_one_entry_with_their_spread(lab: SimpleNamespace) -> None:
    X = feature_matrix([lab.conv(16, 32, 8), lab.conv(32, 32, 8), lab.conv(16, 32, 8)])
    table = LookupTable().fit(X, [1.0, 5.0, 3.0], spread=[0.1, 0.01, 0.0])
    assert table.values_.tolist() == [2.0, 5.0]
    np.testing.assert_allclose(table.spread_, [0.6, 0.01])
    assert table.predict(X).tolist() == [2.0, 5.0, 2.0]


def test_spread_must_fit() -> None:
    with pytest.raises(ValueError, match="one number per row"):
        LookupTable().fit(np.ones((2, 2)), [1.0, 2.0], spread=[0.1])


def test_a_base_of_your_own_is_cloned(measured: tuple[np.ndarray, np.ndarray]) -> None:
    base = Roofline(sharpness=1.0)
    table = LookupTable(base).fit(*measured)
    assert table.base_ is not base
    assert table.base_.sharpness == 1.0


def test_capacity_bounds_what_is_interpolated_not_what_is_known(measured: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = measured
    table = LookupTable(capacity=10).fit(X, y)
    assert max(len(group.points) for group in table.groups_.values()) == 10
    assert table.predict(X).tolist() == y.tolist()


def test_json_round_trip(lab: SimpleNamespace, measured: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = measured
    spread = np.full(len(y), 0.01)
    table = LookupTable().fit(X, y, spread)
    again = LookupTable.from_json(json.loads(json.dumps(table.to_json())), table.base_, X, y, spread)
    other = feature_matrix(lab.some_operators(30))
    assert again.predict(other).tolist() == table.predict(other).tolist()
    assert again.support(other).tolist() == table.support(other).tolist()
    assert again.spread_.tolist() == table.spread_.tolist()


def test_weights_that_do_not_fit_the_entries_are_refused(measured: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = measured
    table = LookupTable().fit(X, y)
    with pytest.raises(ValueError, match="weights"):
        LookupTable.from_json(table.to_json(), table.base_, X[:-1], y[:-1], np.zeros(len(y) - 1))
