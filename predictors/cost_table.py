"""`CostTable`: the prices of all parts of a space in flat tables, so that a batch of architectures is priced by gather and add."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from device_profiles.operators import Network
from predictors.assign import assign, part_of
from predictors.covering import canonical_configurations, covering
from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.head import head_terms

if TYPE_CHECKING:
    from predictors.head import Doubt, ResidualHead

#: Rows priced at once: their indices stay in the cache.
_CHUNK = 4096

#: Whole numbers up to here are exact in float32, in which indices are computed.
_EXACT = 2**24

#: Parts whose prices differ by less than this, relative to a network, differ by the order of summation.
_ROUNDING = 1e-9

#: Called as `progress(share done, message)`.
Progress = Callable[[float, str], None]

#: Additive columns of a table of latencies, in the order of its rows; `doubt_ms` adds up the half-widths of operators.
COLUMNS = ("latency_ms", "doubt_ms", "macs", "params")


class Price(Protocol):
    """What a table needs of the price of an operator: the number, and the relative half-width of its interval."""

    @property
    def value(self) -> float:
        """The number, above 0."""

    @property
    def half_width(self) -> float:
        """Relative half-width of its 90 % interval."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A price of anything but milliseconds."""

    value: float
    half_width: float = 0.0


class Prices(Protocol):
    """What a table needs of a predictor."""

    head_: ResidualHead
    doubt_: Doubt

    def predict_operators(self, operators: Any) -> Sequence[Price]:
        """One price per operator."""
        ...

    def predict(self, network: Network) -> Any:
        """The graph path: an object with the tabled quantity as an attribute."""
        ...


class CostTable:
    """Prices encoded architectures of one space on one device. Made by `NetworkPredictor.compile(space)`.

    `names` are the parts, `quantity` what is priced, `columns` what is tabled. `deviation` is the largest relative difference seen between
    two architectures that show a part in the same configuration: above 0 where the runtime treats a part differently among different
    neighbours.
    """

    def __init__(
        self,
        space: Any,
        tables: Matrix,
        call_ms: float,
        doubt: Doubt,
        deviation: float,
        predict: Callable[[Network], Any],
        quantity: str = COLUMNS[0],
    ) -> None:
        self.quantity, self.columns = quantity, (quantity, f"doubt_{quantity.rpartition('_')[2]}", *COLUMNS[2:])
        self.space, self.names, self.deviation = space, tuple(part.name for part in space.parts), deviation
        self._tables, self._call_ms, self._doubt, self._predict = np.ascontiguousarray(tables), call_ms, doubt, predict
        self._steps, self._starts, self._size = _layout(space)
        self._limits = np.asarray(space.cardinalities, dtype=np.int64)

    @classmethod
    def compile(
        cls,
        space: Any,
        lower: Callable[[Network], Network],
        predictor: Prices,
        progress: Progress | None = None,
        quantity: str = COLUMNS[0],
    ) -> CostTable:
        """Lowers the covering architectures of a space, prices what is executed, and tables it by part and configuration.

        `quantity` says what the prices of the predictor are; anything additive over operators can be tabled.
        Raises InputError when an executed node belongs to no part or a part has too many configurations.
        """
        steps, starts, size = _layout(space)
        archs = covering(space, np.random.default_rng(0))
        sums, counts = np.zeros((len(COLUMNS), size)), np.zeros(size)
        lows, highs, totals = np.full(size, np.inf), np.zeros(size), np.zeros(len(archs))
        for number, arch in enumerate(archs):
            values = _part_values(space, arch, lower, predictor)
            index = (arch @ steps).astype(np.intp) + starts
            sums[:, index] += values
            counts[index] += 1
            lows[index], highs[index] = np.minimum(lows[index], values[0]), np.maximum(highs[index], values[0])
            totals[number] = predictor.head_.call_ms + values[0].sum()
            if progress is not None:
                progress((number + 1) / len(archs), f"architecture {number + 1} of {len(archs)}")
        shown = counts > 0
        tables = np.full((len(COLUMNS), size), np.nan)
        tables[:, shown] = sums[:, shown] / counts[shown]
        spread = float((highs[shown] - lows[shown]).max()) / float(totals.min())
        deviation = spread if spread > _ROUNDING else 0.0
        return cls(
            space, _spread_canonical(space, tables), predictor.head_.call_ms, predictor.doubt_, deviation, predictor.predict, quantity
        )

    def price(self, archs: npt.ArrayLike) -> Vector:
        """`quantity`, by default the latency in ms, of architectures `(n, n_choices)`, shape `(n,)`.

        Raises InputError for an illegal architecture.
        """
        return self._sum(self._checked(archs), (0,))[0] + self._call_ms

    def interval(self, archs: npt.ArrayLike) -> Matrix:
        """Lower and upper ends of the 90 % intervals of `price`, shape `(n, 2)`."""
        latency, doubts = self._sum(self._checked(archs), (0, 1))
        latency = latency + self._call_ms
        factor = 1.0 + self._doubt.widths(latency, doubts) + self.deviation
        return np.stack([latency / factor, latency * factor], axis=1)

    def column(self, name: str, archs: npt.ArrayLike) -> Vector:
        """One of `columns` for architectures `(n, n_choices)`, shape `(n,)`; `macs` and `params` are those of the network as written."""
        if name not in self.columns:
            raise unknown("column", name, self.columns)
        return self.price(archs) if name == self.quantity else self._sum(self._checked(archs), (self.columns.index(name),))[0]

    def check(self, lower: Callable[[Network], Network], n: int, rng: np.random.Generator) -> float:
        """The largest relative difference between table and graph path over `n` random architectures."""
        archs = self.space.sample(n, rng)
        exact = np.array([getattr(self._predict(lower(self.space.network(arch))), self.quantity).value for arch in archs])
        return float(np.abs(self.price(archs) / exact - 1.0).max()) if n else 0.0

    def part_prices(self, part: str) -> Vector:
        """The `quantity` of every configuration of a part, the last of its choices changing fastest."""
        if part not in self.names:
            raise unknown("part", part, self.names)
        start = int(self._starts[self.names.index(part)])
        size = math.prod(int(self._limits[c]) for c in self.space.parts[self.names.index(part)].choices)
        return self._tables[0, start : start + size].copy()

    def _checked(self, archs: npt.ArrayLike) -> npt.NDArray[Any]:
        """Integers of the right shape; whether they are legal is looked at while pricing, where they are in the cache anyway."""
        array = np.asarray(archs)
        if array.ndim != 2 or array.shape[1] != len(self._limits) or array.dtype.kind not in "iu":
            array = np.asarray(self.space.validate(array))
        return array

    def _sum(self, archs: npt.NDArray[Any], rows: tuple[int, ...]) -> list[Vector]:
        kind = np.float32 if self._size < _EXACT else np.float64
        steps: npt.NDArray[Any] = np.ascontiguousarray(self._steps.T, dtype=kind)
        starts: npt.NDArray[Any] = self._starts[:, None].astype(kind)
        results = [np.empty(len(archs)) for _ in rows]
        for first in range(0, len(archs), _CHUNK):
            chunk = archs[first : first + _CHUNK]
            rows_here = len(chunk)
            if rows_here == 1:  # numpy adds a single column in another order: a price must not depend on its batch, to the last bit
                chunk = np.repeat(chunk, 2, axis=0)
            # Choices as rows: everything below then runs along contiguous memory.
            choices: npt.NDArray[Any] = np.ascontiguousarray(chunk.T, dtype=kind)
            if choices.min() < 0 or (choices.max(axis=1) >= self._limits).any():
                self.space.validate(chunk)  # raises, and says which choice
            # One matrix product gives the table index of every part: (parts, choices) @ (choices, rows).
            index = (steps @ choices + starts).astype(np.int32).astype(np.intp)
            for result, row in zip(results, rows, strict=True):
                result[first : first + rows_here] = self._tables[row].take(index).sum(axis=0)[:rows_here]
        if any(np.isnan(result).any() for result in results):
            raise InputError("an architecture holds a configuration that was never shown; pass canonical architectures (space.canonical)")
        return results

    def __repr__(self) -> str:
        return f"<CostTable {self.space.name}: {self.quantity} of {len(self.names)} parts, {self._size} entries>"


def _layout(space: Any) -> tuple[Matrix, npt.NDArray[np.int64], int]:
    """Strides `(n_choices, n_parts)` and starts `(n_parts,)` of the parts' tables within one flat table, and its size."""
    steps = np.zeros((len(space.choices), len(space.parts)))
    starts = np.zeros(len(space.parts), dtype=np.int64)
    size = 0
    for column, part in enumerate(space.parts):
        starts[column] = size
        step = 1
        for choice in reversed(part.choices):
            steps[choice, column] = step
            step *= int(space.cardinalities[choice])
        size += step
    return steps, starts, size


def _part_values(space: Any, arch: npt.NDArray[np.int64], lower: Callable[[Network], Network], predictor: Prices) -> Matrix:
    """The additive columns of every part of one architecture, shape `(len(COLUMNS), n_parts)`; 0 for a part that is switched off."""
    names = {part.name: index for index, part in enumerate(space.parts)}
    values = np.zeros((len(COLUMNS), len(names)))
    source = space.network(arch)
    executed = lower(source)
    head = predictor.head_
    prices = predictor.predict_operators(executed.operators)
    added = head.node_ms(head_terms(executed.operators, [price.value for price in prices]))
    for part, price, value in zip(assign(executed, names), prices, added.tolist(), strict=True):
        values[0, names[part]] += value
        values[1, names[part]] += head.scale * price.value * price.half_width
    for node in source.nodes:
        name = part_of(node.name, set(names))
        if name is None:
            raise InputError(f"node {node.name!r} of {space.name} belongs to no part; it must be named '<part>/<something>'")
        values[2, names[name]] += node.operator.macs
        values[3, names[name]] += node.operator.params
    return values


def _spread_canonical(space: Any, tables: Matrix) -> Matrix:
    """Entries of configurations that are not canonical get the price of the canonical one, which is the same network."""
    steps, starts, _ = _layout(space)
    for column, part in enumerate(space.parts):
        canonical = canonical_configurations(space, part)
        index = (canonical @ steps[list(part.choices), column]).astype(np.intp) + starts[column]
        tables[:, starts[column] : starts[column] + len(canonical)] = tables[:, index]
    return tables
