"""One search for several devices: a cost of every device, and that of the worst of them.

How accurate a network is does not depend on what it will run on, so the fronts of all devices come from the same evaluations, and so does
the robust front, that of accuracy against the worst device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from hwnas.objectives import UNITS, Estimates, Floats, Objective, as_objective
from hwnas.spaces.base import Archs, SearchSpace

#: What stands in place of a device in the name of the worst of them.
WORST = "worst"

#: What costs are divided by before they are compared: a number per device, that of the largest network of the space, or nothing.
References = Mapping[str, float] | Literal["largest"] | None

_DEVICE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


def per_device(costs: Mapping[str, Any], references: References = None) -> list[Any]:
    """The cost of every device under a name of its own, and the worst of them, as objectives of a search.

    `costs` maps what devices are called to one of their costs: `{"pi": pi.latency_ms, "xeon": xeon.latency_ms}` becomes `pi_latency_ms`,
    `xeon_latency_ms` and `worst_latency_ms`. With `references` the worst is relative, see `Worst`.
    Raises InputError for less than two devices, for names that cannot be told apart, and for costs that cannot be compared.
    """
    for name in costs:
        check_device(name, costs)
    named = [of_device(name, cost) for name, cost in costs.items()]
    return [*named, Worst(tuple(named), next(iter(costs.values())).name if costs else "", references)]


def check_device(name: str, others: Mapping[str, Any]) -> None:
    """Raises InputError for what a device cannot be called, alone or beside `others`."""
    if not isinstance(name, str) or not _DEVICE.fullmatch(name):
        raise InputError(f"a device is called by at most 31 letters, digits and underscores, such as pi4, got {name!r}")
    if name.lower() == WORST:
        raise InputError(f"a device cannot be called {name}: that is what the worst of them is called")
    twin = next((other for other in others if other != name and other.lower() == name.lower()), None)
    if twin is not None:
        raise InputError(f"two devices are called {name} and {twin}: their names must differ by more than capitals")


def of_device(name: str, cost: Any) -> Any:
    """A cost named after its device; `cost` is what `hwnas.objectives.as_objective` takes, cheap and minimised.

    Raises InputError for anything else.
    """
    if not isinstance(cost, Objective) and not all(hasattr(cost, attribute) for attribute in ("name", "unit", "compile")):
        raise InputError(f"not a cost of a device: {str(cost)[:60]!r}; give device.latency_ms, or an Objective")
    if getattr(cost, "expensive", False) or getattr(cost, "direction", "min") != "min":
        raise InputError(f"{cost.name} cannot differ by device: that takes a cost that is minimised and cheap, such as device.latency_ms")
    if isinstance(cost, Objective):
        return replace(cost, name=f"{name}_{cost.name}", details={**cost.details, "device": name})
    return DeviceCost(name, cost)


@dataclass(frozen=True)
class DeviceCost:
    """A cost of one of several devices, such as `pi_latency_ms`. A space is compiled once, for its own objective and for the worst."""

    device: str
    cost: Any
    _compiled: list[tuple[SearchSpace, Any]] = field(default_factory=list, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The device and the quantity."""
        return f"{self.device}_{self.cost.name}"

    @property
    def unit(self) -> str:
        """That of the cost."""
        return str(self.cost.unit)

    @property
    def origin(self) -> str:
        """That of the cost."""
        return str(getattr(self.cost, "origin", "predicted"))

    @property
    def predictor(self) -> Any:
        """What knows the device; None where the cost does not say."""
        return getattr(self.cost, "predictor", None)

    @property
    def details(self) -> dict[str, Any]:
        """What the record of the objective says besides."""
        return {"device": self.device}

    def compile(self, space: SearchSpace) -> Any:
        """The table of the cost."""
        if not self._compiled or self._compiled[0][0] is not space:
            self._compiled[:] = [(space, self.cost.compile(space))]
        return self._compiled[0][1]


@dataclass(frozen=True)
class Worst:
    """The highest cost that a network has on any of several devices: what a robust front is about.

    `costs` are those that `of_device` made of one `quantity`, such as `latency_ms`. By default they are compared as they are
    (`worst_latency_ms`). With `references`, a positive number per device in the unit of the cost, each is divided by that of its device
    (`worst_latency_share`: up to 1 meets all of them), or with "largest" by what the largest network of the space costs there.
    """

    costs: tuple[Any, ...]
    quantity: str
    references: References = None

    def __post_init__(self) -> None:
        if len(self.costs) < 2:
            raise InputError(f"the worst of several devices needs at least two, got {', '.join(c.name for c in self.costs) or 'none'}")
        odd = next((c for c in self.costs if not c.name.endswith(f"_{self.quantity}") or c.unit != self.costs[0].unit), None)
        if odd is not None:
            raise InputError(f"{self.costs[0].name} and {odd.name} ({self.costs[0].unit} and {odd.unit}) are not one cost of two devices")
        if self.references is not None and self.references != "largest":
            _check_references(self.references, self.devices)

    @property
    def devices(self) -> tuple[str, ...]:
        """What the devices are called."""
        return tuple(cost.name.removesuffix(f"_{self.quantity}") for cost in self.costs)

    @property
    def name(self) -> str:
        """`worst_latency_ms`, or `worst_latency_share` where it is relative."""
        bare, _, unit = self.quantity.rpartition("_")
        plain = bare if unit in UNITS else self.quantity
        return f"{WORST}_{self.quantity}" if self.references is None else f"{WORST}_{plain}_share"

    @property
    def unit(self) -> str:
        """That of the costs; none where it is relative."""
        return str(self.costs[0].unit) if self.references is None else ""

    @property
    def origin(self) -> str:
        """That of the costs."""
        return str(getattr(self.costs[0], "origin", "predicted"))

    def compile(self, space: SearchSpace) -> WorstTable:
        """The costs of all devices over a space."""
        objectives = tuple(as_objective(cost, space) for cost in self.costs)
        if self.references == "largest":
            references = tuple(float(objective.evaluate(space.largest()).values[0]) for objective in objectives)
            _check_references(dict(zip(self.devices, references, strict=True)), self.devices)
        else:
            given = self.references or dict.fromkeys(self.devices, 1.0)
            references = tuple(float(given[device]) for device in self.devices)
        return WorstTable(objectives, references)


@dataclass(frozen=True)
class WorstTable:
    """The worst of several cheap objectives, each divided by its own reference."""

    objectives: tuple[Objective, ...]
    references: tuple[float, ...]

    def price(self, archs: Archs) -> Floats:
        """The highest of the values, shape `(n,)`."""
        return self._highest(archs, "values")

    def interval(self, archs: Archs) -> Floats:
        """The highest of the low and of the high ends, shape `(n, 2)`: where all devices are within theirs, so is the worst."""
        return np.stack([self._highest(archs, "lows"), self._highest(archs, "highs")], axis=1)

    @property
    def details(self) -> dict[str, Any]:
        """What the record of the objective says besides."""
        return {"device": WORST, "worst_of": [o.name for o in self.objectives], "references": list(self.references)}

    def _highest(self, archs: Archs, end: str) -> Floats:
        found: list[Estimates] = [objective.evaluate(archs) for objective in self.objectives]
        columns = [getattr(estimates, end) / reference for estimates, reference in zip(found, self.references, strict=True)]
        return np.asarray(np.max(columns, axis=0), dtype=np.float64)


def _check_references(references: Mapping[str, float], devices: Sequence[str]) -> None:
    for name in references:
        if name not in devices:
            raise unknown("device", name, devices)
    for device in devices:
        number = references.get(device)
        if number is None or not (np.isfinite(number) and number > 0):
            raise InputError(f"the worst of {', '.join(devices)} needs a positive reference for each, got {number} for {device}")


def by_device(records: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What every front of a run is about, by device and lastly the worst: its own objectives and those that belong to no device.

    `records` are those of the run's objectives, whose order is kept; empty for a run for one device.
    """
    devices = dict.fromkeys(str(record["device"]) for record in records if record.get("device"))
    return {device: [str(r["name"]) for r in records if r.get("device") in (None, device)] for device in devices}


def recomputed(values: Floats, records: Sequence[Mapping[str, Any]]) -> Floats:
    """`(..., m)` values in which every worst objective is that of its devices, where all of them are among the columns.

    For values that were drawn column by column.
    """
    names = [str(record["name"]) for record in records]
    result: npt.NDArray[np.float64] = values
    for column, record in enumerate(records):
        parts = [str(part) for part in record.get("worst_of") or ()]
        if parts and all(part in names for part in parts):
            result = result.copy() if result is values else result
            references = np.array(record["references"], dtype=np.float64)
            found = values[..., [names.index(part) for part in parts]] / references
            result[..., column] = found.max(axis=-1)
    return result
