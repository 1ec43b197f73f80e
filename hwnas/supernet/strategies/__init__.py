"""Training strategies by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from device_profiles.errors import InputError, unknown
from hwnas.supernet.strategies.base import Batch, Pass, Strategy
from hwnas.supernet.strategies.fair import Fair
from hwnas.supernet.strategies.grouped import Grouped
from hwnas.supernet.strategies.manas import Manas
from hwnas.supernet.strategies.manas_ls import ManasLs
from hwnas.supernet.strategies.one_path import OnePath
from hwnas.supernet.strategies.ordered_dropout import OrderedDropout
from hwnas.supernet.strategies.progressive import Progressive
from hwnas.supernet.strategies.sandwich import Sandwich
from hwnas.supernet.strategies.stand_alone import StandAlone

__all__ = [
    "STRATEGIES", "Batch", "Fair", "Grouped", "Manas", "ManasLs", "OnePath", "OrderedDropout", "Pass", "Progressive", "Sandwich",
    "StandAlone", "Strategy", "make",
]  # fmt: skip

#: Every strategy by its name.
STRATEGIES: dict[str, type[Strategy]] = {
    cls.name: cls for cls in (Sandwich, OnePath, Fair, Progressive, OrderedDropout, Grouped, Manas, ManasLs, StandAlone)
}


def make(strategy: str | Strategy, options: Mapping[str, Any] | None = None) -> Strategy:
    """The strategy itself, or a new one of that name with `options` (its fields) in place of the defaults.

    Raises InputError for an unknown name or option.
    """
    if isinstance(strategy, Strategy):
        return strategy
    if strategy not in STRATEGIES:
        raise unknown("strategy", strategy, STRATEGIES)
    known = [field.name for field in fields(STRATEGIES[strategy])]
    for name in options or {}:
        if name not in known:
            raise unknown(f"option of {strategy}", name, known)
    try:
        return STRATEGIES[strategy](**(options or {}))
    except TypeError as error:
        raise InputError(f"{strategy}: an option has a value of a wrong kind: {dict(options or {})} ({error})") from error
