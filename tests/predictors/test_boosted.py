from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.errors import InputError
from predictors.boosted import MONOTONE, BoostedTrees
from predictors.features import COLUMN, feature_matrix
from predictors.roofline import Roofline


@pytest.fixture(scope="module")
def fitted(lab: SimpleNamespace) -> tuple[BoostedTrees, np.ndarray]:
    operators = lab.some_operators(120)
    X = feature_matrix(operators)
    rng = np.random.default_rng(0)
    y = np.array([lab.true_ms(op) for op in operators]) * np.exp(rng.normal(0, 0.1, len(X)))
    return BoostedTrees(rounds=60).fit(X, y), X


def test_trees_learn_what_the_base_cannot(lab: SimpleNamespace) -> None:
    """Channels that are no multiple of 32 take half as long again."""
    operators = lab.some_operators(300)
    X = feature_matrix(operators)
    slow = np.array([1.5 if op.outputs[0].shape[1] % 32 else 1.0 for op in operators])
    y = slow * [lab.true_ms(op) for op in operators]
    model = BoostedTrees().fit(X[:200], y[:200])
    errors, base_errors = (np.abs(m.predict(X[200:]) / y[200:] - 1).mean() for m in (model, model.base_))
    assert errors < 0.6 * base_errors


@settings(max_examples=40)
@given(st.sampled_from(MONOTONE), st.floats(1, 1e5), st.integers(0, 119))
def test_more_work_is_never_cheaper(fitted: tuple[BoostedTrees, np.ndarray], name: str, factor: float, row: int) -> None:
    model, X = fitted
    more = X[row : row + 1].copy()
    more[0, COLUMN[name]] = factor * (1 + more[0, COLUMN[name]])
    assert model.predict(more)[0] >= model.predict(X[row : row + 1])[0] * (1 - 1e-6)


def test_json_round_trip(lab: SimpleNamespace, fitted: tuple[BoostedTrees, np.ndarray]) -> None:
    model, _ = fitted
    again = BoostedTrees.from_json(json.loads(json.dumps(model.to_json())), model.base_)
    X = feature_matrix(lab.some_operators(50, seed=9))
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.get_params() == model.get_params()


def test_damaged_trees_are_one_line() -> None:
    base = Roofline()
    with pytest.raises(InputError, match="does not read these trees") as caught:
        BoostedTrees.from_json({"parameters": BoostedTrees().get_params(), "booster": {"learner": {}}}, base)
    assert "\n" not in str(caught.value)
