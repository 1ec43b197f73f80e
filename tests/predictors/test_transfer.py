from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from device_profiles.errors import InputError
from predictors import Transfer

DATA = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[3] / "shared" / "data"))


def world(seed: int = 0, n: int = 80, d: int = 6, noise: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Costs on known devices, counts of operators, the truth on a new device, and what measuring it gives."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, (n, 5)).astype(float)
    prices = rng.lognormal(0, 0.5, (5, d + 1)) * np.array([1, 3, 0.3, 1, 0.1])[:, None]
    costs = counts @ prices
    return costs[:, :d], counts, costs[:, d], costs[:, d] * np.exp(noise * rng.normal(size=n))


def test_eight_measurements_price_the_rest() -> None:
    errors, plain, held = [], [], []
    for seed in range(2):
        sources, counts, truth, measured = world(seed)
        model = Transfer().learn(sources, counts)
        chosen = model.next(8)
        mean, low, high = model.adapt(chosen, measured[chosen]).predict()
        rest = np.delete(np.arange(len(truth)), chosen)
        errors.append(np.abs(mean / truth - 1)[rest].mean())
        one = sources.mean(axis=1)
        plain.append(np.abs(one * np.median(measured[chosen] / one[chosen]) / truth - 1)[rest].mean())
        held.append(((low <= measured) & (measured <= high))[rest].mean())
        assert (low > 0).all()
        assert (low <= mean).all()
        assert (mean <= high).all()
    assert np.mean(errors) < 0.03 < np.mean(plain)
    assert np.mean(held) > 0.85


def test_chosen_items_teach_more_than_drawn_ones() -> None:
    chosen_errors, drawn_errors = [], []
    for seed in range(2):
        sources, counts, truth, _ = world(seed)
        model = Transfer().learn(sources, counts)
        for draw in range(12):
            rng = np.random.default_rng(draw)
            measured = truth * np.exp(0.05 * rng.normal(size=len(truth)))
            for items, errors in ((model.next(5), chosen_errors), (rng.choice(len(truth), 5, replace=False), drawn_errors)):
                errors.append(np.abs(model.adapt(items, measured[items]).predict()[0] / truth - 1).mean())
    assert np.mean(chosen_errors) < 0.9 * np.mean(drawn_errors)


def test_the_unit_of_the_measurements_does_not_matter() -> None:
    sources, counts, _, measured = world()
    model = Transfer().fit(sources, counts, range(6), measured[:6])
    other = Transfer().fit(sources * 1e-3, counts, range(6), measured[:6] * 1e3)
    assert other.predict()[0] == pytest.approx(model.predict()[0] * 1e3)


def test_more_measurements_narrow_the_interval() -> None:
    sources, counts, _, measured = world()
    model = Transfer().learn(sources, counts)
    widths = []
    for count in (2, 8, 40):
        mean, low, _ = model.adapt(range(count), measured[:count]).predict()
        widths.append(float(np.median(mean / low)))
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize("devices", [1, 2])
def test_one_known_device_and_one_measurement_are_enough(devices: int) -> None:
    sources, counts, truth, measured = world()
    for features in (None, counts):
        mean, low, high = Transfer().fit(sources[:, :devices], features, [3], [measured[3]]).predict()
        assert np.isfinite(mean).all()
        assert (low > 0).all()
        assert mean[3] == pytest.approx(measured[3], rel=0.05)
        assert np.mean((low <= truth) & (truth <= high)) > 0.5


def test_what_is_wrong_is_said() -> None:
    sources, counts, _, _ = world()
    for matrix in (sources[0], sources * 0, sources * np.nan, sources[:0], sources[:, :0]):
        with pytest.raises(InputError, match="costs on known devices"):
            Transfer().learn(matrix)
    with pytest.raises(InputError, match="features have 3 rows for 80 items"):
        Transfer().learn(sources, counts[:3])
    with pytest.raises(InputError, match="call learn"):
        Transfer().next(3)
    model = Transfer().learn(sources)
    with pytest.raises(InputError, match="call adapt"):
        model.predict()
    for chosen, measured in (([], []), ([1], [0.0]), ([1], [1.0, 2.0]), ([1], [float("nan")])):
        with pytest.raises(InputError, match="one cost above 0 for each"):
            model.adapt(chosen, measured)
    with pytest.raises(InputError, match="not within 0 to 79"):
        model.adapt([80], [1.0])


@pytest.mark.skipif(not (DATA / "fbnet" / "fbnet.npz").is_file(), reason="the recorded FBNet table is not here")
def test_ten_measurements_order_recorded_networks() -> None:
    data = np.load(DATA / "fbnet" / "fbnet.npz", allow_pickle=False)
    some = slice(0, 400)
    one_hot = np.eye(len(data["ops"]))[data["arch_ops"][some].astype(int)]
    names, latency = [str(name) for name in data["devices"]], data["latency_ms"][some].astype(float)
    new = names.index("gold_6240")
    model = Transfer().learn(np.delete(latency, new, axis=1), np.hstack([one_hot.sum(axis=1), one_hot.reshape(len(one_hot), -1)]))
    chosen = model.next(10)
    mean, _, _ = model.adapt(chosen, latency[chosen, new]).predict()
    rest = np.delete(np.arange(len(mean)), chosen)
    ranks = [np.argsort(np.argsort(values[rest])) for values in (mean, latency[:, new])]
    assert np.corrcoef(*ranks)[0, 1] > 0.9
