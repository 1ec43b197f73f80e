"""An accelerator whose costs were measured, or simulated elsewhere: the linear models of FLASH in the place of the formulas.

FLASH (Li, Mandal, Ogras and Marculescu, ACM TECS 2021) writes latency and energy as `Lambda . F` with the features F = computing and
communication volume, and finds Lambda by regression on runs of a simulator or of the hardware. What the design itself says is one more
feature here: where the formulas are right but for a factor, few measurements are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from device_profiles.operators import Network, Operator
from predictors.accelerators.base import COSTS, Accelerator, OperatorCost
from predictors.accelerators.gemm import moved_elements

if TYPE_CHECKING:
    from predictors.rates import AdditiveCost

#: What is regressed on: the network itself, its operators, MACs, elements that operators read (those of skip connections included),
#: weights, and the cost by the design.
FEATURES = ("network", "kernels", "macs", "communicated", "weights", "design")

#: No operator costs less than this share of what the design says: a rate of 0 for all that it does is a lack of data.
_LEAST_SHARE = 1e-3


class Refitted(Accelerator):
    """`design` with those of its costs replaced that were measured. Learned: `models_`, an `AdditiveCost` by name of the cost."""

    def __init__(self, design: Accelerator) -> None:
        self.design = design
        self.bits = design.bits
        self.models_: dict[str, AdditiveCost] = {}

    def fit(self, networks: Sequence[Network], **measured: npt.ArrayLike) -> Refitted:
        """Learns from n networks and any of `latency_ms`, `energy_mj`, `area_mm2`, each `(n,)` and above 0.

        Raises InputError for another name, or numbers that do not fit the networks.
        """
        X = np.array([_row(network) for network in networks]).reshape(len(networks), len(FEATURES) - 1)
        designed = [self.design.predict(network) for network in networks]
        models = {}
        for name, values in measured.items():
            if name not in COSTS:
                raise unknown("cost of an accelerator", name, COSTS)
            column = [getattr(prediction, name).value for prediction in designed]
            models[name] = _fitted(name, np.column_stack([X, column]), np.asarray(values, dtype=np.float64))
        self.models_ = models
        return self

    def operator(self, op: Operator) -> OperatorCost:
        """The costs of the design, the measured ones by their linear models; `details` are those of the design."""
        return self._replaced(self.design.operator(op), (0.0, *_features(op)))

    @property
    def standing(self) -> OperatorCost:
        """What a network costs without any operator."""
        return self._replaced(self.design.standing, (1.0, *[0.0] * (len(FEATURES) - 2)))

    def _replaced(self, cost: OperatorCost, row: tuple[float, ...]) -> OperatorCost:
        values = {name: float(getattr(cost, name)) for name in COSTS}
        for name, model in self.models_.items():
            value = float(model.rates_ @ np.array([*row, values[name]]))
            values[name] = max(value, _LEAST_SHARE * values[name])
        return OperatorCost(**values, details=cost.details)


def _fitted(name: str, X: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> AdditiveCost:
    from predictors.rates import AdditiveCost

    if y.shape != (len(X),) or not len(X) or not (np.isfinite(y) & (y > 0)).all():
        raise InputError(f"{name} needs one number above 0 for each of {len(X)} networks, got {y.shape}")
    return AdditiveCost().fit(X, y)


def _features(op: Operator) -> tuple[float, ...]:
    read, weights, _ = moved_elements(op)
    return 1.0, float(op.macs), float(read), float(weights)


def _row(network: Network) -> list[float]:
    return [1.0, *np.sum([_features(op) for op in network.operators], axis=0).tolist()]
