"""Every named space can be tabled, and the table says what the graph path says."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from device_profiles.operators import Network
from hwnas import spaces
from predictors.network import NetworkPredictor

tiny = runpy.run_path(str(Path(__file__).parents[1] / "hwnas" / "tiny_spaces.py"))["tiny"]


def as_written(network: Network) -> Network:
    return network


@pytest.mark.parametrize("name", spaces.SPACES)
def test_the_table_of_a_space_equals_the_graph_path(name: str, predictor: NetworkPredictor) -> None:
    space = tiny(name)
    table = predictor.compile(space, as_written)
    assert table.check(as_written, 20, np.random.default_rng(0)) < 1e-12
    archs = space.sample(20, np.random.default_rng(1))
    networks = [space.network(arch) for arch in archs]
    assert table.column("macs", archs).tolist() == [net.macs for net in networks]
    assert table.column("params", archs).tolist() == [net.params for net in networks]


@pytest.mark.parametrize("name", ["mobilenetv2-elastic", "flash-dense", "flash-residual", "bypass", "sharing64"])
def test_with_the_real_runtime(name: str, predictor: NetworkPredictor) -> None:
    """What the runtime fuses and inserts finds its part; where neighbours matter, the table knows by how much."""
    space = tiny(name)
    table = predictor.compile(space)
    with predictor.lowering() as lower:
        assert table.check(lower, 6, np.random.default_rng(2)) < 1e-3 + len(table.names) * table.deviation
