"""What a search optimises and what it must respect: objectives, and constraints written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from device_profiles.quantity import ORIGINS
from hwnas.spaces.base import Archs, SearchSpace

Floats = npt.NDArray[np.float64]
Direction = Literal["min", "max"]

#: The unit that the end of a name promises, so that seconds are never taken for milliseconds.
UNITS = {"ms": "ms", "mj": "mJ", "mb": "MB", "mm2": "mm2"}

#: The largest violation of a number, so that violations can be added.
MAX_VIOLATION = 1e100

#: Columns of the table `evaluations` that are not objectives.
RESERVED = ("id", "architecture", "status", "error")

#: The machine that evaluates, as a place where an objective is timed.
HERE = "here"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CONSTRAINT = re.compile(rf"\s*({_NAME.pattern})\s*(<=|>=|<|>)\s*({_NUMBER})\s*")


class Estimates(NamedTuple):
    """Values with the ends of their 90 % intervals, each of shape `(n,)`; NaN where the objective has no answer."""

    values: Floats
    lows: Floats
    highs: Floats


def check_name(name: str) -> str:
    """The name of an objective, safe to be a column. Raises InputError when it is not an identifier or is taken."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"an objective's name is letters, digits and underscores, such as latency_ms, got {name!r}")
    if name.lower() in RESERVED or name.lower().endswith(("_low", "_high")):
        raise InputError(f"an objective cannot be called {name!r}: {', '.join(RESERVED)} and names that end in _low or _high are taken")
    return name


@dataclass(frozen=True)
class Objective:
    """One number that a search makes small or large.

    `fn` maps architectures, `int64` of shape `(n, n_choices)`, to values of shape `(n,)`, or to `(values, lows, highs)` with the ends
    of the 90 % interval; plain values are taken as exact. Cheap objectives (`expensive=False`) are called on whole batches, expensive
    ones on one architecture at a time, and only where no constraint on a cheap one is violated. `bounds` are hard: a value outside
    is a failure. `source` is what made the objective (such as a `CostTable`), for optimisers that can use more than values; `details` are
    more keys of its record in a run, such as the device that it is about. `timed_on` names the device on which an expensive objective
    times networks: however many workers there are, one at a time is timed on it; with `HERE`, nothing else is computed meanwhile.
    """

    name: str
    unit: str
    direction: Direction
    expensive: bool
    fn: Callable[[Archs], Any]
    bounds: tuple[float, float] | None = None
    origin: str = "predicted"
    source: Any = None
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    timed_on: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        promised = UNITS.get(self.name.rpartition("_")[2].lower())
        if promised is not None and self.unit.lower() != promised.lower():
            raise InputError(f"{self.name} is in {promised} by its name, not in {self.unit!r}")
        if self.direction not in ("min", "max"):
            raise InputError(f"the direction of {self.name} is 'min' or 'max', got {self.direction!r}")
        if not callable(self.fn):
            raise InputError(f"{self.name} needs a function of architectures, got {self.fn!r}")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise InputError(f"the bounds of {self.name} are (low, high) with low < high, got {self.bounds}")
        if self.origin not in ORIGINS:
            raise InputError(f"the origin of {self.name} is one of {', '.join(ORIGINS)}, got {self.origin!r}")

    @property
    def sign(self) -> float:
        """1 to minimise, -1 to maximise: `sign * values` is the minimisation form."""
        return 1.0 if self.direction == "min" else -1.0

    def evaluate(self, archs: Archs) -> Estimates:
        """The objective of `(n, n_choices)` architectures, with `low <= value <= high` wherever all three are numbers.

        Raises InputError when `fn` returns something else than `(n,)` values or three such arrays; what `fn` raises passes through.
        """
        result = self.fn(archs.copy())  # a copy: `fn` may write into its argument
        parts = result if isinstance(result, tuple) else (result,) * 3
        arrays = [np.asarray(part, dtype=np.float64) for part in parts]
        arrays = [array.reshape(1) if array.ndim == 0 and len(archs) == 1 else array for array in arrays]
        if len(arrays) != 3 or any(array.shape != (len(archs),) for array in arrays):
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise InputError(f"{self.name} must return {len(archs)} values, or (values, lows, highs), got shapes {shapes}")
        # Adding 0.0 turns -0.0 into 0.0: sqlite does not keep the sign, and what is read back must equal what was told.
        values, lows, highs = (array + 0.0 for array in arrays)
        return Estimates(values, np.minimum(lows, values), np.maximum(highs, values))

    def spec(self) -> dict[str, Any]:
        """What a run folder records, as JSON."""
        bounds = None if self.bounds is None else [_json_number(bound) for bound in self.bounds]
        return {
            "name": self.name, "unit": self.unit, "direction": self.direction, "expensive": self.expensive, "bounds": bounds,
            "origin": self.origin, **self.details,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on one objective, such as `latency_ms <= 20`; the unit is in the name."""

    name: str
    relation: str
    bound: float

    @classmethod
    def parse(cls, text: str | Constraint) -> Constraint:
        """The constraint that a text states. Raises InputError that repeats the text and shows the right form."""
        if isinstance(text, Constraint):
            return text
        match = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
        if match is None or not math.isfinite(float(match[3])):
            raise InputError(
                f"not a constraint: {text!r}; write NAME <= NUMBER with <=, >=, < or > and no unit, such as 'latency_ms <= 20'"
            )
        return cls(match[1], match[2], float(match[3]))

    @property
    def upper(self) -> bool:
        """Whether this is a bound from above."""
        return self.relation in ("<=", "<")

    @property
    def strict(self) -> bool:
        """Whether the bound itself is forbidden."""
        return self.relation in ("<", ">")

    def violation(self, values: npt.ArrayLike) -> Floats:
        """How far `(n,)` values lie beyond the bound, relative to its size; 0 where it holds, at most `MAX_VIOLATION`, infinite for NaN."""
        array = np.asarray(values, dtype=np.float64)
        with np.errstate(over="ignore"):  # a bound near 0
            excess = (array - self.bound) * (1.0 if self.upper else -1.0) / (abs(self.bound) or 1.0)
        if self.strict:  # on the bound itself: the smallest violation there is
            excess = np.where(array == self.bound, np.finfo(np.float64).tiny, excess)
        return np.where(np.isnan(array), np.inf, np.clip(excess, 0.0, MAX_VIOLATION))

    def __str__(self) -> str:
        number = int(self.bound) if self.bound.is_integer() and abs(self.bound) < 1e15 else self.bound
        return f"{self.name} {self.relation} {number}"


def as_objective(thing: Any, space: SearchSpace) -> Objective:
    """An objective from an `Objective`, from the cost of a predictor, or from a callable that carries its description.

    A cost has `name`, `unit` and `compile(space)`, which gives a table with `price(archs) -> (n,)` and `interval(archs) -> (n, 2)`; it is
    cheap and minimised. A callable has `name`, `unit`, `direction`, `expensive`, and may have `bounds`, `origin`
    and `timed_on`. Raises InputError for anything else, naming what is missing.
    """
    if isinstance(thing, Objective):
        return thing
    needed = ("name", "unit") if hasattr(thing, "compile") else ("name", "unit", "direction", "expensive")
    missing = [attribute for attribute in needed if not hasattr(thing, attribute)]
    if missing or not (hasattr(thing, "compile") or callable(thing)):
        lacks = f"it has no {', '.join(missing)}" if missing else "it cannot be called"
        raise InputError(f"not an objective: {str(thing)[:60]!r}: {lacks}; give an Objective, device.latency_ms, or an accuracy")
    bounds = getattr(thing, "bounds", None)
    if not hasattr(thing, "compile"):
        origin = getattr(thing, "origin", "measured" if thing.expensive else "predicted")
        on = getattr(thing, "timed_on", None)
        return Objective(thing.name, thing.unit, thing.direction, bool(thing.expensive), thing, bounds, origin, thing, timed_on=on)
    table = thing.compile(space)

    def price(archs: Archs) -> tuple[Floats, Floats, Floats]:
        """Values and the ends of their intervals, `(n,)` each."""
        interval = np.asarray(table.interval(archs), dtype=np.float64)
        return table.price(archs), interval[:, 0], interval[:, 1]

    return Objective(
        thing.name, thing.unit, getattr(thing, "direction", "min"), False, price, bounds, getattr(thing, "origin", "predicted"), table,
        {**getattr(thing, "details", {}), **getattr(table, "details", {})},
    )  # fmt: skip


def as_objectives(things: Iterable[Any], space: SearchSpace) -> tuple[Objective, ...]:
    """Objectives from things, in order. Raises InputError when there is none or two have one name."""
    if isinstance(things, (str, Objective)) or not isinstance(things, Iterable):
        raise InputError(f"objectives are given as a list, got {str(things)[:60]!r}")
    objectives = tuple(as_objective(thing, space) for thing in things)
    names = [objective.name for objective in objectives]
    # Names become columns, and sqlite does not tell upper from lower case.
    twice = sorted({name for name in names if [n.lower() for n in names].count(name.lower()) > 1})
    if twice:
        raise InputError(f"objective {twice[0]} is given twice: name every objective once")
    if not objectives:
        raise InputError("a search needs at least one objective, such as device.latency_ms")
    return objectives


def as_constraints(things: Iterable[str | Constraint], objectives: Sequence[Objective]) -> tuple[Constraint, ...]:
    """Constraints from texts, checked against the objectives and against each other.

    Raises InputError for a wrong text, an unknown objective (with the nearest known one), a bound that the hard bounds of its objective
    exclude, and two bounds that contradict each other.
    """
    constraints = tuple(Constraint.parse(thing) for thing in ([things] if isinstance(things, (str, Constraint)) else things))
    known = {objective.name: objective for objective in objectives}
    for constraint in constraints:
        if constraint.name not in known:
            raise unknown("objective in a constraint", constraint.name, known)
        bounds = known[constraint.name].bounds
        if bounds is not None and constraint.violation([bounds[0] if constraint.upper else bounds[1]])[0] > 0:
            raise InputError(f"{constraint} cannot be met: {constraint.name} lies between {bounds[0]:g} and {bounds[1]:g}")
    for upper in (c for c in constraints if c.upper):
        for lower in (c for c in constraints if not c.upper and c.name == upper.name):
            if lower.bound > upper.bound or (lower.bound == upper.bound and (lower.strict or upper.strict)):
                raise InputError(f"{upper} and {lower} contradict each other: no architecture can meet both")
    return constraints


def minimised(values: npt.ArrayLike, directions: Sequence[str]) -> Floats:
    """`(n, m)` values in minimisation form: columns to maximise change their sign."""
    signs: Floats = np.array([1.0 if direction == "min" else -1.0 for direction in directions])
    return np.asarray(values, dtype=np.float64) * signs


def _json_number(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
