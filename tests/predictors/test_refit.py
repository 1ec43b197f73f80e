from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile
from predictors.network import NetworkPredictor
from predictors.network_fit import floor_ms
from predictors.refit import refit
from predictors.store import load


def without_networks(profile: DeviceProfile, kept: int = 0) -> DeviceProfile:
    """The profile with its first networks only."""
    networks = [line for line in profile.lines if line["type"] == "network"][kept:]
    return DeviceProfile(profile.header, [line for line in profile.lines if line not in networks], "cd" * 32)


def test_the_head_of_all_networks_is_that_of_fitting_anew(profile: DeviceProfile, predictor: NetworkPredictor) -> None:
    again = refit(NetworkPredictor().fit(without_networks(profile, 3)), profile.networks(), floor_ms(profile))
    assert again.head_ == predictor.head_
    assert again.doubt_ == predictor.doubt_
    assert again.origin_["profile"]["networks"] == len(profile.networks())


def test_what_it_began_with_stays_and_prices_get_better(profile: DeviceProfile, device: Any, lab: SimpleNamespace, tmp_path: Path) -> None:
    first = NetworkPredictor().fit(without_networks(profile))
    before = first.head_
    again = refit(first, profile.networks(), floor_ms(profile))
    assert first.head_ == before
    others = lab.some_networks(lab.some_operators(60), 12, seed=9)

    def error(predictor: NetworkPredictor) -> float:
        """Mean log error on networks that neither has seen."""
        found = [predictor.predict(lab.chain(ops)).latency_ms.value / device.network_ms(ops) for ops in others]
        return float(np.abs(np.log(found)).mean())

    assert error(again) < error(first)
    again.save(tmp_path / "device.json")
    network = lab.chain(others[0])
    assert load(tmp_path / "device.json").predict(network).latency_ms == again.predict(network).latency_ms


def test_a_loaded_predictor_is_refused(predictor: NetworkPredictor, tmp_path: Path) -> None:
    predictor.save(tmp_path / "device.json")
    with pytest.raises(InputError, match="was loaded; fit it on its profile"):
        refit(load(tmp_path / "device.json"), [], 0.0)
