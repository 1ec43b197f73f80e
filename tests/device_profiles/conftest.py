from __future__ import annotations

from collections.abc import Iterator

import pytest

from device_profiles.builder import NetworkBuilder
from device_profiles.operators import Network, Tensor
from device_profiles.runtimes import RuntimeProcess


def small_network(channels: int = 16) -> Network:
    """Two convolutions with a residual, pooling and a classifier: the smallest network with every kind of node of a real one."""
    net = NetworkBuilder("small", {"input": Tensor((1, 3, 16, 16))})
    x = net.activation("stem/relu", net.conv("stem/conv", "input", channels, 3, 2))
    y = net.conv("block/conv", x, channels, 3)
    x = net.add("block/add", x, y)
    x = net.flatten("head/flatten", net.global_pool("head/pool", x))
    return net.build(net.linear("head/fc", x, 10))


@pytest.fixture
def network() -> Network:
    return small_network()


@pytest.fixture(scope="module")
def runtime() -> Iterator[RuntimeProcess]:
    with RuntimeProcess("onnxruntime", 1) as process:
        yield process
