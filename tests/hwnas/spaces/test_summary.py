from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.spaces import SearchSpace
from hwnas.spaces.summary import summarise


class Twice:
    """A cost: 2 ms for every unit of the first choice."""

    name, unit = "latency_ms", "ms"

    def compile(self, space: SearchSpace) -> Twice:
        return self

    def price(self, archs: np.ndarray) -> np.ndarray:
        return 2.0 * archs[:, 0]


def test_smallest_median_and_largest(tiny_space: Callable[[str], SearchSpace]) -> None:
    space = tiny_space("mobilenet-small")
    found = summarise(space, np.random.default_rng(0), [Twice()], n=50)
    assert list(found) == ["macs", "params", "latency_ms"]
    assert found["macs"].minimum == space.network(space.smallest()[0]).macs < found["macs"].median < found["macs"].maximum
    assert found["params"].maximum == space.network(space.largest()[0]).params
    assert (found["latency_ms"].unit, found["latency_ms"].minimum, found["latency_ms"].maximum) == ("ms", 0.0, 2.0)
    with pytest.raises(InputError, match="at least 1 architecture"):
        summarise(space, np.random.default_rng(0), n=0)
