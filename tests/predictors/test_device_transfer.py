from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.operators import Operator
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from predictors.device_transfer import family_ratios, next_items, transfer
from predictors.network import NetworkPredictor
from predictors.network_fit import network_terms
from predictors.store import load


def factor(op: Operator) -> float:
    """How much slower the new device is at an operator."""
    return 2.0 if op.attribute("group", 1) > 1 else 1.3 if op.kind == "Gemm" else 1.1


def slowed(profile: DeviceProfile, operators: int, networks: int, seed: int = 0) -> DeviceProfile:
    """What a slower device measures of the first operators and networks of a profile."""
    rng, kept = np.random.default_rng(seed), []
    left = {"operator": operators, "network": networks}
    for line in profile.lines:
        left[line["type"]] -= 1
        if left[line["type"]] < 0:
            continue
        if line["type"] == "operator":
            ratio = factor(Operator.from_json(line["operator"]))
        else:
            ops = [(Operator.from_json(op), count) for op, count in line["operators"]]
            times = {m.key: m.latency_ms.value for m in profile.operators()}
            parts = [count * times[op.key] for op, count in ops]
            ratio = sum(part * factor(op) for part, (op, _) in zip(parts, ops, strict=True)) / sum(parts)
        ratio *= float(np.exp(0.01 * rng.normal()))
        latency = {name: line["latency_ms"][name] * ratio for name in ("value", "low", "high")}
        kept.append({**line, "latency_ms": {**latency, "origin": "measured"}})
    header = {**profile.header, "device": {"cpu": "slower"}}
    return DeviceProfile(header, kept, "cd" * 32)


def errors(device: NetworkPredictor, networks: list[NetworkMeasurement]) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors on measured networks, and whether the interval held the measurement."""
    found, held = [], []
    for net in networks:
        terms, doubts = network_terms(device.pricer_, [net], {})
        value = float(device.head_.network_ms(terms[0]))
        q = device.doubt_.interval(value, device.head_.scale * float(doubts[0]))
        found.append(abs(value / net.latency_ms.value - 1))
        held.append(q.low <= net.latency_ms.value <= q.high)
    return np.array(found), np.array(held)


@pytest.fixture(scope="module")
def truth(profile: DeviceProfile) -> list[NetworkMeasurement]:
    return slowed(profile, 60, 12, seed=5).networks()


@pytest.fixture(scope="module")
def ten(predictor: NetworkPredictor, profile: DeviceProfile) -> NetworkPredictor:
    """From ten operators of the new device."""
    return transfer(predictor, slowed(profile, 10, 0))


@pytest.fixture(scope="module")
def mixed(predictor: NetworkPredictor, profile: DeviceProfile) -> NetworkPredictor:
    """From six operators and four networks of it."""
    return transfer(predictor, slowed(profile, 6, 4))


@pytest.mark.parametrize(("name", "networks"), [("ten", 0), ("mixed", 4)])
def test_ten_measurements_make_a_predictor_of_the_new_device(
    predictor: NetworkPredictor, truth: list[NetworkMeasurement], name: str, networks: int, request: pytest.FixtureRequest
) -> None:
    new = request.getfixturevalue(name)
    before, _ = errors(predictor, truth)
    after, held = errors(new, truth[networks:])
    assert before.mean() > 0.1
    assert after.mean() < 0.04
    assert (after < 0.1).mean() >= 0.9
    assert held.mean() >= 0.75
    assert new.device_name_.startswith("slower")


def test_families_get_ratios_of_their_own(predictor: NetworkPredictor, ten: NetworkPredictor) -> None:
    ratios = family_ratios(predictor, ten)
    assert ratios["depthwise"] == pytest.approx(2.0, rel=0.1)
    assert ratios["pointwise"] == pytest.approx(1.1, rel=0.1)


def test_what_was_measured_stands_and_what_was_not_is_wider(
    predictor: NetworkPredictor, profile: DeviceProfile, ten: NetworkPredictor
) -> None:
    small, new = slowed(profile, 10, 0), ten
    for m in small.operators():
        price = new.predict_operators([m.operator])[0]
        assert (price.source, price.latency_ms) == ("measured", m.latency_ms)
    others = [op for op in predictor.pricer_.operators_ if op.key not in {m.key for m in small.operators()}]
    for old, price in zip(predictor.predict_operators(others), new.predict_operators(others), strict=True):
        assert price.source == "transferred"
        assert price.latency_ms.origin == "predicted"
        assert price.half_width > old.half_width


def test_the_same_device_stays_as_it_is(predictor: NetworkPredictor, profile: DeviceProfile) -> None:
    small = DeviceProfile(profile.header, [line for line in profile.lines if line["type"] == "network"][:8], "ef" * 32)
    found, _ = errors(transfer(predictor, small), profile.networks())
    assert found.max() < 0.05


def test_fewer_measurements_are_said_by_wider_intervals(predictor: NetworkPredictor, profile: DeviceProfile, ten: NetworkPredictor) -> None:
    one = transfer(predictor, slowed(profile, 1, 0))
    last = profile.operators()[-1].operator
    assert one.predict_operators([last])[0].half_width > ten.predict_operators([last])[0].half_width
    assert one.doubt_.networks == 0


def test_the_result_is_a_full_predictor(
    predictor: NetworkPredictor, profile: DeviceProfile, mixed: NetworkPredictor, tmp_path: Path, lab: SimpleNamespace
) -> None:
    new = mixed
    new.save(tmp_path / "d.json")
    again = load(tmp_path / "d.json")
    network = lab.chain(lab.some_operators(90, seed=3)[-20:])
    assert again.predict(network).latency_ms == new.predict(network).latency_ms
    assert again.predict(network).sources() == new.predict(network).sources()
    assert again.origin_["profile"]["transferred_from"] == {"device": predictor.device_name_, "sha256": profile.sha256}
    twice = transfer(again, slowed(profile, 6, 4))
    assert twice.predict(network).latency_ms.value == pytest.approx(new.predict(network).latency_ms.value, rel=0.05)


def test_a_failed_operator_is_not_taken_over(predictor: NetworkPredictor, profile: DeviceProfile) -> None:
    small = slowed(profile, 6, 0)
    gone = predictor.pricer_.operators_[10]
    line = {"type": "operator", "key": gone.key, "status": "failed", "operator": gone.to_json(), "error": "crashed: SIGILL"}
    new = transfer(predictor, replace(small, lines=[*small.lines, line]))
    assert "could not be measured" in new.predict_operators([gone])[0].flags


def test_without_a_measurement_there_is_nothing_to_transfer(predictor: NetworkPredictor, profile: DeviceProfile) -> None:
    with pytest.raises(InputError, match="at least one measured operator or network"):
        transfer(predictor, DeviceProfile(profile.header, [], "0" * 64))


def test_the_next_items_are_few_different_and_of_both_sorts(predictor: NetworkPredictor, profile: DeviceProfile) -> None:
    chosen: list[Any] = next_items(predictor, 10, profile.networks())
    assert len({item.key for item in chosen}) == 10
    assert any(isinstance(item, NetworkMeasurement) for item in chosen)
    alone = next_items(predictor, 10, profile.networks(), operators_only=True)
    assert all(isinstance(item, Operator) for item in alone)
    assert [item.key for item in next_items(predictor, 4, profile.networks())] == [item.key for item in chosen[:4]]


def test_operators_chosen_without_networks_cover_families(predictor: NetworkPredictor) -> None:
    chosen = next_items(predictor, 8)
    assert len({item.kind for item in chosen if isinstance(item, Operator)}) >= 2
    assert len(next_items(predictor, 10**6)) == len(predictor.pricer_.operators_)
