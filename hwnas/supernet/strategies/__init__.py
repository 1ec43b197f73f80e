"""Training strategies by name."""

from __future__ import annotations

from device_profiles.errors import unknown
from hwnas.supernet.strategies.base import Batch, Pass, Strategy
from hwnas.supernet.strategies.one_path import OnePath
from hwnas.supernet.strategies.sandwich import Sandwich

__all__ = ["STRATEGIES", "Batch", "OnePath", "Pass", "Sandwich", "Strategy", "make"]

#: Every strategy by its name.
STRATEGIES: dict[str, type[Strategy]] = {cls.name: cls for cls in (Sandwich, OnePath)}


def make(strategy: str | Strategy) -> Strategy:
    """The strategy itself, or a new one of that name with its default options. Raises InputError for an unknown name."""
    if isinstance(strategy, Strategy):
        return strategy
    if strategy not in STRATEGIES:
        raise unknown("strategy", strategy, STRATEGIES)
    return STRATEGIES[strategy]()
