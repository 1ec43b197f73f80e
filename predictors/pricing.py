"""What one operator costs, whoever knows it best, and how far that can be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from device_profiles.errors import InputError
from device_profiles.operators import Operator
from device_profiles.quantity import Quantity
from predictors.boosted import BoostedTrees
from predictors.estimator import Vector
from predictors.features import FAMILY_COLUMNS, Matrix, feature_matrix
from predictors.held_out import HeldOut, doubt
from predictors.kinds import FAMILIES, short_kind
from predictors.lookup import LookupTable
from predictors.roofline import Roofline

#: Where a price can come from, best first.
SOURCES = ("measured", "transferred", "interpolated", "trees", "base")

#: Trees on fewer operators than this only repeat the base.
MIN_FOR_TREES = 20

#: A family chooses between interpolation and trees by itself once it has this many operators; before, all operators choose together.
MIN_FOR_CHOICE = 8

#: Where interpolation leans on entries by less than this, its price is the base's.
_NEAR = 0.02

#: Prices kept so that a kernel seen again costs a dictionary look-up.
_CACHE = 100_000


@dataclass(frozen=True, slots=True)
class OperatorPrice:
    """The price of one operator: `latency_ms` with its 90 % interval, `source` one of `SOURCES`, and what a reader must know about it."""

    operator: Operator
    latency_ms: Quantity
    source: str
    flags: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """Milliseconds, always above 0."""
        return self.latency_ms.value

    @property
    def low(self) -> float:
        """Lower end of the 90 % interval, in milliseconds."""
        return self.latency_ms.low

    @property
    def high(self) -> float:
        """Upper end of the 90 % interval, in milliseconds."""
        return self.latency_ms.high

    @property
    def half_width(self) -> float:
        """Relative half-width of the interval: what the interval of a network adds up."""
        return self.high / self.value - 1.0


class OperatorPricer:
    """Prices operators: the value of one that was measured, here or on another device (then scaled, see `device_transfer`), else the model
    that proved better, else the base.

    Learned: `measured_` by key, `roofline_`, `lookup_`, `trees_` (None below `MIN_FOR_TREES` operators), `choice_` by family,
    `widths_` by source (log half-width per unit of doubt, see `HeldOut`), `kinds_` and `families_` seen, `failed_` keys.
    """

    measured_: dict[str, Quantity]
    operators_: list[Operator]
    held_out_: HeldOut

    def fit(self, operators: Sequence[Operator], latencies: Sequence[Quantity], failed: Iterable[str] = ()) -> OperatorPricer:
        """Learns from measured operators, all keys different, and the keys of those that could not be measured.

        Raises InputError when there is no operator.
        """
        self.restore(operators, latencies, failed)
        X, y, spread = self.data()
        self.roofline_ = Roofline().fit(X, y)
        self.lookup_ = LookupTable().fit(X, y, spread)
        self.trees_ = BoostedTrees().fit(X, y) if len(y) >= MIN_FOR_TREES else None
        self.held_out_ = HeldOut.of(X, y, spread, self.lookup_, self.trees_ is not None)
        self.choice_ = self.held_out_.choice(MIN_FOR_CHOICE)
        self.widths_ = self.held_out_.widths()
        return self

    def restore(self, operators: Sequence[Operator], latencies: Sequence[Quantity], failed: Iterable[str]) -> None:
        """Takes the measurements of `fit` and nothing that is learned from them: what `predictors.load` begins with."""
        if not operators:
            raise InputError("a predictor needs at least one measured operator, the profile has none; run `hwnas profile` first")
        self.operators_ = list(operators)
        self.measured_ = {op.key: latency for op, latency in zip(operators, latencies, strict=True)}
        if len(self.measured_) < len(self.operators_):
            raise InputError("an operator is given twice; a profile holds every key once")
        self.failed_ = set(failed)
        self.kinds_ = {short_kind(op) for op in operators}
        self._cache: dict[str, OperatorPrice] = {}

    def data(self) -> tuple[Matrix, Vector, Vector]:
        """Features `(n, len(FEATURES))`, times in ms `(n,)` and relative half-widths `(n,)` of the measured operators."""
        quantities = list(self.measured_.values())
        y = np.array([q.value for q in quantities])
        X = feature_matrix(self.operators_)
        self.families_ = {FAMILIES[i] for i in np.unique(X[:, FAMILY_COLUMNS].argmax(axis=1))}
        return X, y, np.array([max(q.high - q.value, q.value - q.low) / q.value for q in quantities])

    def price(self, operators: Sequence[Operator]) -> list[OperatorPrice]:
        """One price per operator, in order; every one above 0. A price does not depend on the others of the batch."""
        new = {op.key: op for op in operators if op.key not in self._cache}
        guessed = [op for key, op in new.items() if key not in self.measured_]
        prices = {key: self._kept(op) for key, op in new.items() if key in self.measured_}
        prices.update((price.operator.key, price) for price in self._guess(guessed))
        found = [prices[op.key] if op.key in prices else self._cache[op.key] for op in operators]
        if len(self._cache) + len(prices) > _CACHE:
            self._cache.clear()
        self._cache.update(prices)
        return found

    def _kept(self, op: Operator) -> OperatorPrice:
        latency = self.measured_[op.key]
        # What another device measured, scaled by what is known of this one, is not a measurement of this one.
        return OperatorPrice(op, latency, "measured" if latency.origin == "measured" else "transferred")

    def _guess(self, operators: list[Operator]) -> list[OperatorPrice]:
        if not operators:
            return []
        X = feature_matrix(operators)
        families = X[:, FAMILY_COLUMNS].argmax(axis=1)
        support = self.lookup_.support(X)
        sources = [self._source(op, FAMILIES[f], s) for op, f, s in zip(operators, families, support, strict=True)]
        columns = {"base": self.roofline_.predict(X)}
        if "interpolated" in sources:
            columns["interpolated"] = self.lookup_.predict(X)
        if "trees" in sources and self.trees_ is not None:
            columns["trees"] = self.trees_.predict(X)
        return [
            self._priced(op, float(columns[source][i]), source, float(support[i]), FAMILIES[families[i]])
            for i, (op, source) in enumerate(zip(operators, sources, strict=True))
        ]

    def _source(self, op: Operator, family: str, support: float) -> str:
        if family not in self.families_ or op.key in self.failed_:
            return "base"
        source = self.choice_.get(family, self.choice_[""])
        return "base" if source == "interpolated" and support < _NEAR else source

    def _priced(self, op: Operator, value: float, source: str, support: float, family: str) -> OperatorPrice:
        flags: list[str] = []
        width = self.widths_[source] * (1.0 if source == "base" else math.sqrt(doubt(support)))
        if family not in self.families_:
            flags.append(f"no kernel of family {family} was measured")
        elif short_kind(op) not in self.kinds_:
            flags.append(f"no {short_kind(op)} was measured")
        elif support < _NEAR:
            flags.append("far from everything measured")
        if op.key in self.failed_:
            flags.append("could not be measured")
        if flags:
            width = max(width, self.widths_["unseen"])
        factor = math.exp(min(width, 20.0))
        return OperatorPrice(op, Quantity(value, value / factor, value * factor, "predicted"), source, tuple(flags))
