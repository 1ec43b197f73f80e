from __future__ import annotations

import pytest

from device_profiles.operators import Network
from device_profiles.proxies import Proxies, proxies


def test_a_network_is_counted_by_liveness(network: Network) -> None:
    found = proxies(network)
    assert found.params == network.params
    assert found.weight_bytes == 4 * found.params
    assert found.macs == sum(op.macs for op in network.operators)
    # The residual keeps its input while the convolution beside it reads and writes: three times 16 x 8 x 8 floats.
    assert found.peak_activation_bytes == 3 * 16 * 8 * 8 * 4
    assert found.memory_mb == pytest.approx((found.weight_bytes + found.peak_activation_bytes) / 1e6)
    assert Proxies(**found.to_json()) == found


def test_an_operator_holds_its_inputs_and_outputs(network: Network) -> None:
    conv = network.nodes[0].operator
    found = proxies(conv)
    assert (found.params, found.macs) == (conv.params, conv.macs)
    assert found.peak_activation_bytes == (3 * 16 * 16 + 16 * 8 * 8) * 4
