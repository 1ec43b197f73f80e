"""A space small enough to train within a second, and images that fit it."""

from __future__ import annotations

import pytest

from hwnas import data
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.supernet.mobilenet import MobileNetSupernet

STAGES = (Stage((8, 12), (1, 2), (3, 5), (2, 3), 1), Stage((8, 16), (1, 2), (3, 5), (2, 3), 2))


@pytest.fixture
def space() -> MobileNetSpace:
    return MobileNetSpace(STAGES, 10, 1, 8, stem=8, head=16)


@pytest.fixture(scope="session")
def digits() -> data.Dataset:
    return data.load("digits")


@pytest.fixture
def supernet(space: MobileNetSpace) -> MobileNetSupernet:
    return MobileNetSupernet(space, seed=1)
