"""A number that carries its 90 % interval and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device_profiles.errors import InputError

ORIGINS = ("measured", "predicted", "modelled", "published")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with the bounds of its 90 % interval (in the unit its name gives) and its origin."""

    value: float
    low: float
    high: float
    origin: str

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise InputError(f"origin {self.origin!r} is none of {', '.join(ORIGINS)}")
        if not (math.isfinite(self.value) and self.low <= self.value <= self.high):
            raise InputError(f"a quantity needs low <= value <= high, got {self.low}, {self.value}, {self.high}")

    def to_json(self) -> dict[str, Any]:
        """The JSON object used in every file and in every `--json` output."""
        return {"value": self.value, "low": self.low, "high": self.high, "origin": self.origin}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Quantity:
        """The inverse of `to_json`. Raises InputError when a field is missing or not a number."""
        try:
            return cls(float(data["value"]), float(data["low"]), float(data["high"]), str(data["origin"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a quantity needs value, low, high and origin, got {data!r}") from error

    def scaled(self, factor: float) -> Quantity:
        """The same quantity times a positive factor."""
        return Quantity(self.value * factor, self.low * factor, self.high * factor, self.origin)
