from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.operators import Network
from predictors.accelerators import CrossbarTiles, Refitted


@pytest.fixture(scope="module")
def networks(lab: SimpleNamespace) -> list[Network]:
    return [lab.chain(operators) for operators in lab.some_networks(lab.some_operators(40), 60)]


def true_ms(network: Network) -> float:
    """A law of the form that is fitted: a fixed part, MACs, elements read."""
    read = sum(t.size for op in network.operators for t in op.inputs if t is not None and not t.constant)
    return 0.1 + network.macs * 2e-8 + read * 3e-6


def test_finds_the_law_and_keeps_the_rest_of_the_design(networks: list[Network]) -> None:
    design = CrossbarTiles()
    model = Refitted(design).fit(networks[:40], latency_ms=[true_ms(network) for network in networks[:40]])
    for network in networks[40:]:
        prediction = model.predict(network)
        assert prediction.latency_ms.value == pytest.approx(true_ms(network), rel=0.03)
        assert prediction.area_mm2 == design.predict(network).area_mm2
        assert prediction.energy_mj == design.predict(network).energy_mj


def test_repeats_the_design_that_it_was_fitted_on(networks: list[Network]) -> None:
    """FLASH fits its models on runs of a simulator; here the formulas are the simulator."""
    design = CrossbarTiles()
    truth = [design.predict(network) for network in networks]
    measured = {name: [getattr(p, name).value for p in truth[:40]] for name in ("latency_ms", "energy_mj", "area_mm2")}
    model = Refitted(design).fit(networks[:40], **measured)
    for name in measured:
        errors = [
            getattr(model.predict(n), name).value / getattr(p, name).value - 1 for n, p in zip(networks[40:], truth[40:], strict=True)
        ]
        assert np.abs(errors).max() < 0.01


def test_wrong_measurements_are_named(networks: list[Network]) -> None:
    with pytest.raises(InputError, match="did you mean 'latency_ms'"):
        Refitted(CrossbarTiles()).fit(networks, latency=[1.0] * len(networks))
    with pytest.raises(InputError, match="energy_mj needs one number above 0 for each of 60 networks"):
        Refitted(CrossbarTiles()).fit(networks, energy_mj=[1.0])
