"""The curve from NN-Degree to accuracy: found again where it is known, with an interval that holds what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.accuracy.degree_accuracy import DegreeAccuracy, Theta
from hwnas.accuracy.nn_degree import NNDegree
from hwnas.objectives import as_objective
from hwnas.run import Run
from hwnas.search import search

SPACE = spaces.load("flash-dense")
CURVES = [(1.02, 180.0, -4.2), (1.05, 400.0, -5.0), (0.2, 90.0, -0.1)]


def curve(g, a, b, c):
    return 1.0 / (a + np.exp(b / g + c))


@pytest.mark.parametrize("abc", CURVES)
def test_the_curve_is_found_again(abc) -> None:
    g = np.linspace(60, 900, 25)
    theta = Theta.fit(g, curve(g, *abc))
    beyond = np.linspace(40, 1500, 50)
    np.testing.assert_allclose(theta.predict(beyond).values, np.clip(curve(beyond, *abc), 0, 1), atol=1e-4)
    assert theta.deviation < 1e-5
    assert theta.abc == pytest.approx(abc, rel=0.02)


def test_intervals_hold_nine_in_ten() -> None:
    rng, inside = np.random.default_rng(0), []
    for _ in range(150):
        g, new = rng.uniform(80, 800, 25), rng.uniform(80, 800, 4)
        fitted = Theta.fit(g, curve(g, *CURVES[0]) + rng.normal(0, 0.004, 25))
        values, lows, highs = fitted.predict(new)
        assert ((lows <= values) & (values <= highs)).all()
        truth = curve(new, *CURVES[0]) + rng.normal(0, 0.004, 4)
        inside.append(((lows <= truth) & (truth <= highs)).mean())
    assert 0.85 < np.mean(inside) < 0.95


def test_few_noisy_samples_still_make_a_rising_curve() -> None:
    rng = np.random.default_rng(1)
    g = rng.uniform(80, 800, 25)
    values = Theta.fit(g, curve(g, *CURVES[0]) + rng.normal(0, 0.002, 25)).predict(np.linspace(80, 2000, 60)).values
    assert (np.diff(values) >= 0).all()


def test_accuracies_that_fall_or_do_not_move_are_fitted_too() -> None:
    g = np.linspace(80, 800, 25)
    falling = Theta.fit(g, curve(g, *CURVES[0])[::-1].copy()).predict(g)
    assert falling.values[0] > falling.values[-1]
    assert np.isfinite(falling).all()
    np.testing.assert_allclose(Theta.fit(g, np.full(25, 0.9)).predict(g).values, 0.9, atol=1e-3)
    np.testing.assert_allclose(Theta.fit(g, np.ones(25)).predict(g).values, 1.0, atol=1e-3)


def test_it_is_an_accuracy_of_a_search_and_the_run_says_how_it_was_made(tmp_path) -> None:
    archs = SPACE.sample(25, np.random.default_rng(2))
    truth = curve(NNDegree(SPACE)(archs), *CURVES[0])
    accuracy = DegreeAccuracy(SPACE).fit(archs, truth)
    objective = as_objective(accuracy, SPACE)
    assert (objective.name, objective.direction, objective.expensive, objective.bounds) == ("accuracy", "max", False, (0.0, 1.0))
    values, lows, highs = objective.evaluate(archs)
    np.testing.assert_allclose(values, truth, atol=1e-4)
    assert ((lows <= values) & (values <= highs)).all()
    search(SPACE, [accuracy], algorithm="random", evaluations=5, seed=0, out=tmp_path)
    record = Run.open(tmp_path).spec["accuracy"]["accuracy"]
    assert record == json.loads(json.dumps(accuracy.record()))
    assert (record["kind"], record["samples"]) == ("nn-degree", 25)


def test_what_cannot_be_fitted_is_refused() -> None:
    archs = SPACE.sample(5, np.random.default_rng(3))
    with pytest.raises(InputError, match="was not fitted"):
        DegreeAccuracy(SPACE)(archs)
    with pytest.raises(InputError, match="4 or more networks of different degrees, got 3 and 3"):
        DegreeAccuracy(SPACE).fit(archs[:3], [0.5, 0.6, 0.7])
    with pytest.raises(InputError, match="got 5 and 4"):
        DegreeAccuracy(SPACE).fit(archs, [0.5, 0.6, 0.7, 0.8])
    with pytest.raises(InputError, match="of different degrees"):
        DegreeAccuracy(SPACE).fit(np.repeat(archs[:1], 5, axis=0), [0.5] * 5)
    for wrong in (0.0, 1.2, np.nan, 93.0):
        with pytest.raises(InputError, match="above 0 and at most 1"):
            DegreeAccuracy(SPACE).fit(archs, [0.5, 0.6, 0.7, 0.8, wrong])
