"""What a user would do instead of hwnas, on the same measurements: nn-Meter's recipe, and a table of nearest measured kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from device_profiles.operators import Operator
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from predictors.features import COLUMN, feature_matrix
from predictors.kinds import short_kind

Vector = np.ndarray[Any, np.dtype[np.float64]]

#: The features of a kernel (Zhang et al., MobiSys 2021, section 4.2): sizes, channels, kernel, stride, FLOPs, parameters.
PUBLISHED = ("height_in", "width_in", "channels_in", "channels_out", "kernel_h", "stride_h", "macs", "params")


def forest_sums(profile: DeviceProfile, networks: Sequence[NetworkMeasurement]) -> Vector:
    """nn-Meter's recipe: a random forest per kind of kernel on its published features; a network is the sum of its kernels, `(n,)`.

    A kind that was not measured cannot be priced by the recipe; it gets the median time per byte of all kernels.
    """
    from sklearn.ensemble import RandomForestRegressor

    measured = profile.operators()
    operators, times = [m.operator for m in measured], np.array([m.latency_ms.value for m in measured])
    kinds = np.array([short_kind(op) for op in operators])
    X = feature_matrix(operators)
    rate = float(np.median(times / _bytes(X)))
    forests = {}
    for kind in np.unique(kinds):
        mine = kinds == kind
        forest = RandomForestRegressor(n_estimators=100, max_features=0.4, random_state=0, n_jobs=1)
        forests[kind] = forest.fit(_published(X[mine]), times[mine])
    needed = {op.key: op for net in networks for op, _ in net.operators}
    F = feature_matrix(list(needed.values()))
    prices = dict(zip(needed, (rate * _bytes(F)).tolist(), strict=True))
    for kind, forest in forests.items():
        rows = [i for i, op in enumerate(needed.values()) if short_kind(op) == kind]
        if rows:
            prices.update(zip([list(needed)[i] for i in rows], forest.predict(_published(F[rows])).tolist(), strict=True))
    return np.array([sum(count * prices[op.key] for op, count in net.operators) for net in networks])


def nearest_prices(profile: DeviceProfile, operators: Sequence[Operator]) -> Vector:
    """A lookup table and nothing else: the time of the nearest measured kernel of the same kind, of any kind where there is none, `(n,)`.

    Nearest in the logarithms of all features.
    """
    measured = profile.operators()
    known, X = np.log1p(feature_matrix([m.operator for m in measured])), np.log1p(feature_matrix(operators))
    kinds = np.array([short_kind(m.operator) for m in measured])
    times = np.array([m.latency_ms.value for m in measured])
    found = np.zeros(len(operators))
    for i, op in enumerate(operators):
        mine = np.flatnonzero(kinds == short_kind(op))
        mine = mine if mine.size else np.arange(len(times))
        found[i] = times[mine[np.abs(known[mine] - X[i]).sum(axis=1).argmin()]]
    return found


def _published(X: Any) -> Any:
    return X[:, [COLUMN[name] for name in PUBLISHED]]


def _bytes(X: Any) -> Vector:
    return np.asarray(X[:, COLUMN["read_bytes"]] + X[:, COLUMN["written_bytes"]] + 1.0)
