"""A whole network as numbers: what its operators add up to, family by family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_profiles.operators import Network, Operator
from predictors.features import COLUMN, FAMILY_COLUMNS, Matrix, feature_matrix, steps
from predictors.kinds import FAMILIES

#: What is added up over the operators of a family; `kernels` counts them.
SUMS = ("kernels", "macs", "element_steps", "activation_bytes", "weight_bytes")

#: Names of the columns of `network_totals`: the call itself, which every network has once, then the sums of every family.
TOTALS: tuple[str, ...] = ("call", *(f"{family}_{name}" for family in FAMILIES for name in SUMS))

#: The group of every column: 0 is the call, then the families in order.
GROUPS = np.concatenate([[0], np.repeat(np.arange(1, len(FAMILIES) + 1), len(SUMS))])


def network_totals(networks: Sequence[Network]) -> Matrix:
    """The totals of networks, shape `(n, len(TOTALS))`, none negative. An operator that occurs often is looked at once."""
    numbers: dict[str, int] = {}
    distinct: list[Operator] = []
    for network in networks:
        for op in network.operators:
            if op.key not in numbers:
                numbers[op.key] = len(distinct)
                distinct.append(op)
    columns = _contributions(feature_matrix(distinct))
    totals = np.zeros((len(networks), len(TOTALS)))
    totals[:, 0] = 1.0
    for row, network in zip(totals, networks, strict=True):
        counts = np.bincount([numbers[op.key] for op in network.operators], minlength=len(distinct))
        row[1:] = counts @ columns
    return totals


def by_group(columns: Matrix) -> Matrix:
    """Columns like those of `network_totals` added up per group: `(n, len(TOTALS))` -> `(n, 1 + len(FAMILIES))`."""
    groups = np.zeros((len(columns), 1 + len(FAMILIES)))
    np.add.at(groups.T, GROUPS, columns.T)
    return groups


def _contributions(X: Matrix) -> Matrix:
    """What one operator adds to the columns behind the first, shape `(k, len(TOTALS) - 1)`."""
    column = COLUMN
    moved = X[:, column["read_bytes"]] + X[:, column["written_bytes"]]
    sums = np.stack([np.ones(len(X)), X[:, column["macs"]], steps(X), moved, X[:, column["weight_bytes"]]], axis=1)
    family = X[:, FAMILY_COLUMNS]
    return np.asarray((family[:, :, None] * sums[:, None, :]).reshape(len(X), len(TOTALS) - 1))
