from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.operators import Operator
from predictors.features import COLUMN, feature_matrix
from predictors.kinds import FAMILIES
from predictors.roofline import TERMS, Roofline


def test_finds_the_law_of_the_device(lab: SimpleNamespace) -> None:
    """The imaginary device is itself a roofline: fixed cost, two rates, one bandwidth."""
    operators = lab.some_operators(150)
    times = np.array([lab.true_ms(op) for op in operators])
    model = Roofline().fit(feature_matrix(operators), times)
    rates = dict(zip(FAMILIES, model.rates_, strict=True))
    assert rates["conv"][TERMS.index("macs")] == pytest.approx(1e3 / 3e10, rel=0.1)
    assert rates["depthwise"][TERMS.index("macs")] > 5 * rates["conv"][TERMS.index("macs")]
    others = lab.some_operators(100, seed=1)
    errors = model.predict(feature_matrix(others)) / np.array([lab.true_ms(op) for op in others]) - 1
    assert np.abs(errors).mean() < 0.05


def test_a_pass_over_the_results_is_learned_from_convolutions_that_have_one(lab: SimpleNamespace) -> None:
    """Kernels as lean as pointwise ones spend much of their time in it."""

    def fused(activation: str, channels: int, size: int) -> Operator:
        plain = lab.conv(channels, 2 * channels, size)
        return Operator("FusedConv", plain.inputs, plain.outputs, (("activation", activation), ("kernel_shape", (1, 1))))

    def true_ms(op: Operator) -> float:
        passed = 2.5e-7 * op.outputs[0].size if dict(op.attributes)["activation"] == "HardSwish" else 0.0
        return lab.true_ms(op) + passed

    sizes = [(8, 14), (16, 28), (24, 56), (32, 112), (64, 28), (96, 14)]
    known = [fused(name, *size) for name in ("Relu", "HardSwish") for size in sizes]
    model = Roofline().fit(feature_matrix(known), [true_ms(op) for op in known])
    unseen = [fused(name, 48, 40) for name in ("Relu", "HardSwish")]
    relu, swish = model.predict(feature_matrix(unseen))
    assert swish / relu == pytest.approx(true_ms(unseen[1]) / true_ms(unseen[0]), rel=0.1)


def test_families_without_data_take_the_common_rates(lab: SimpleNamespace) -> None:
    operators = lab.some_operators(60)
    model = Roofline().fit(feature_matrix(operators), [lab.true_ms(op) for op in operators])
    rates = dict(zip(FAMILIES, model.rates_, strict=True))
    assert model.seen_[FAMILIES.index("norm")] == 0
    np.testing.assert_array_equal(rates["norm"], rates["softmax"])
    assert not np.array_equal(rates["norm"], rates["depthwise"])


@settings(max_examples=40)
@given(st.sampled_from(["macs", "element_steps", "read_bytes", "written_bytes", "weight_bytes"]), st.floats(1, 1e6), st.integers(0, 39))
def test_more_work_is_never_cheaper(lab: SimpleNamespace, name: str, factor: float, row: int) -> None:
    operators = lab.some_operators(40)
    X = feature_matrix(operators)
    model = Roofline().fit(X, [lab.true_ms(op) for op in operators])
    more = X[row : row + 1].copy()
    more[0, COLUMN[name]] = factor * (1 + more[0, COLUMN[name]])
    assert model.predict(more)[0] >= model.predict(X[row : row + 1])[0] * (1 - 1e-12)


def test_json_round_trip(lab: SimpleNamespace) -> None:
    operators = lab.some_operators(30)
    model = Roofline(sharpness=1.5).fit(feature_matrix(operators), [lab.true_ms(op) for op in operators])
    again = Roofline.from_json(model.to_json())
    X = feature_matrix(lab.some_operators(20, seed=1))
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.get_params() == model.get_params()


def test_other_matrices_get_a_linear_model() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    model = Roofline().fit(X, X @ [1.0, -2.0, 0.5] - 4)
    assert not model.operators_
    np.testing.assert_allclose(model.coef_, [1, -2, 0.5], rtol=1e-4)
