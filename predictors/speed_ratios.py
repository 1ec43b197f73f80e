"""How much slower one device is than another, operator by operator, before anything was compared: a prior of low rank.

    time on the new device = scale * time on the old one * (1 + row @ z),    z independent standard normals

`row` says with which other operators an operator shares what it gains or loses: with all of them, with its family, with those of similar
work and traffic; and what is its own. A network is the sum of its operators and of what the head adds: its row is their mean by time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_profiles.operators import Operator
from predictors.estimator import Vector
from predictors.features import COLUMN, FAMILY_COLUMNS, Matrix, feature_matrix
from predictors.head import TERMS, ResidualHead, head_terms
from predictors.kinds import FAMILIES
from predictors.pricing import OperatorPricer

#: How far ratios may stray from the common one, as standard deviations: all operators together (beyond the scale), a fixed cost per kernel,
#: one family, per octave-like step of work and traffic, one operator by itself, and each number of the head.
COMMON, FIXED, FAMILY, SIZE, ALONE, CALLING = 0.3, 0.1, 0.3, 0.1, 0.1, 0.5

Counts = Sequence[tuple[Operator, int]]


class SpeedRatios:
    """Rows of operators and networks. `alone` are the operators that get a column of their own: those that measurements speak of."""

    def __init__(self, pricer: OperatorPricer, head: ResidualHead, alone: Sequence[Operator]) -> None:
        self.pricer, self.head = pricer, head
        self._column = {op.key: i for i, op in enumerate(alone)}
        self._typical = float(np.median([q.value for q in pricer.measured_.values()]))
        sizes = _sizes(pricer.operators_)
        self._centre, self._step = sizes.mean(axis=0), np.maximum(sizes.std(axis=0), 0.5)
        self._shared = 2 + len(FAMILIES) + sizes.shape[1]
        self.width = self._shared + len(self._column) + len(TERMS)

    def times_ms(self, operators: Sequence[Operator]) -> Vector:
        """What operators take on the old device, `(n,)`."""
        return np.array([price.value for price in self.pricer.price(operators)])

    def rows(self, operators: Sequence[Operator]) -> Matrix:
        """Rows of operators, `(n, width)`."""
        rows, times = np.zeros((len(operators), self.width)), self.times_ms(operators)
        families = feature_matrix(operators)[:, FAMILY_COLUMNS]
        fixed = FIXED * np.minimum(self._typical / times, 10.0)
        sizes = np.clip((_sizes(operators) - self._centre) / self._step, -3.0, 3.0)
        rows[:, : self._shared] = np.column_stack([np.full(len(operators), COMMON), fixed, FAMILY * families, SIZE * sizes])
        for index, op in enumerate(operators):
            if op.key in self._column:
                rows[index, self._shared + self._column[op.key]] = ALONE
        return rows

    def left_alone(self, operators: Sequence[Operator]) -> Vector:
        """The standard deviation of what is an operator's own and in no column, `(n,)`."""
        return np.array([0.0 if op.key in self._column else ALONE for op in operators])

    def network(self, counts: Counts) -> tuple[float, Vector]:
        """What a network takes on the old device in ms, and its row `(width,)`."""
        operators, numbers = [op for op, _ in counts], np.array([count for _, count in counts], dtype=np.float64)
        times = self.times_ms(operators)
        kernels, *beyond = (numbers @ head_terms(operators, times) * self.head.rates).tolist()
        parts = np.array([self.head.call_ms, *beyond])
        total = kernels + float(parts.sum())
        return total, np.asarray((self.head.scale * numbers * times @ self.rows(operators) + parts @ self.head_rows()) / total)

    def head_rows(self) -> Matrix:
        """Rows of what the head adds, in its order without the scale: they follow the device as a whole, and have ways of their own."""
        rows = np.zeros((len(TERMS), self.width))
        rows[:, 0] = COMMON
        rows[:, -len(TERMS) :] = CALLING * np.eye(len(TERMS))
        return rows


def _sizes(operators: Sequence[Operator]) -> Matrix:
    """Work, traffic and weights of operators in logarithms, `(n, 3)`."""
    X = feature_matrix(operators)
    moved = X[:, COLUMN["read_bytes"]] + X[:, COLUMN["written_bytes"]]
    return np.log1p(np.column_stack([X[:, COLUMN["macs"]], moved, X[:, COLUMN["weight_bytes"]]]))
