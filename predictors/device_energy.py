"""The energy of networks on a profiled device: times as its predictor gives them, powers from the energies that were measured there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device_profiles.errors import InputError
from device_profiles.operators import Network
from device_profiles.quantity import Quantity
from predictors.cost_table import CostTable, Priced
from predictors.estimator import Vector
from predictors.features import FAMILY_COLUMNS, family, feature_matrix
from predictors.head import Doubt, ResidualHead, head_terms
from predictors.kinds import FAMILIES
from predictors.power import PowerModel
from predictors.pricing import OperatorPrice

if TYPE_CHECKING:
    from device_profiles.profile import NetworkMeasurement, OperatorMeasurement
    from predictors.cost import Lower
    from predictors.network import NetworkPredictor
    from predictors.prediction import Prediction

#: Columns of the power model: the call, then the families of operators.
_GROUP = {name: index for index, name in enumerate(FAMILIES, 1)}


@dataclass(frozen=True)
class DeviceEnergy:
    """Powers by family of operators, and the head that says what time a network adds to its operators."""

    power: PowerModel
    head: ResidualHead

    @property
    def call_mj(self) -> float:
        """What a call costs without any operator."""
        return float(self.power.watts_[0]) * self.head.call_ms

    def operators_mj(self, prices: Sequence[OperatorPrice]) -> list[Priced]:
        """What every operator adds to the energy of a network, in order, with the half-width that its time has."""
        if not prices:
            return []
        operators = [price.operator for price in prices]
        families = feature_matrix(operators)[:, FAMILY_COLUMNS].argmax(axis=1)
        times = np.array([price.value for price in prices])
        kernels, added = times * self.head.scale, self.head.node_ms(head_terms(operators, times))
        energies = self.power.watts_[1 + families] * added
        halves = np.array([price.half_width for price in prices]) * kernels / added
        return [Priced(float(energy), float(half)) for energy, half in zip(energies, halves, strict=True)]

    def doubt(self, latency: Doubt) -> Doubt:
        """How wide the interval of an energy is: that of the latency, and that of the power at known times."""
        both = math.hypot(math.expm1(latency.network), math.expm1(self.power.width_))
        return Doubt(math.log1p(both), latency.share, latency.networks)

    def energy_mj(self, prices: Sequence[OperatorPrice], latency: Doubt) -> Quantity:
        """The energy of one call of a network of these operators with its 90 % interval."""
        added = self.operators_mj(prices)
        total = math.fsum([self.call_mj, *(price.value for price in added)])
        return self.doubt(latency).interval(total, math.fsum(price.value * price.half_width for price in added))


def fit_energy(
    predictor: NetworkPredictor, operators: Sequence[OperatorMeasurement], networks: Sequence[NetworkMeasurement]
) -> DeviceEnergy | None:
    """The powers from all operators and networks whose energy was measured; None where that is none.

    The times of the parts of a network are those of the predictor, scaled to the time that was measured.
    """
    rows, energies = [], []
    for op in operators:
        if op.energy_mj is not None:
            rows.append(_alone(op))
            energies.append(op.energy_mj.value)
    for net in networks:
        if net.energy_mj is not None:
            times = _within(predictor, net)
            rows.append(times * net.latency_ms.value / times.sum())
            energies.append(net.energy_mj.value)
    return DeviceEnergy(PowerModel().fit(np.array(rows), np.array(energies)), predictor.head_) if rows else None


def _alone(measured: OperatorMeasurement) -> Vector:
    times = np.zeros(1 + len(FAMILIES))
    times[_GROUP[family(measured.operator)]] = measured.latency_ms.value
    return times


def _within(predictor: NetworkPredictor, net: NetworkMeasurement) -> Vector:
    """Milliseconds of the call and of every family."""
    times = np.zeros(1 + len(FAMILIES))
    times[0] = predictor.head_.call_ms
    operators = [op for op, _ in net.operators]
    added = predictor.head_.node_ms(head_terms(operators, [price.value for price in predictor.predict_operators(operators)]))
    for (op, count), ms in zip(net.operators, added, strict=True):
        times[_GROUP[family(op)]] += count * ms
    return times


class EnergyColumn:
    """The energy of a device in the form that a `Cost` and a `CostTable` ask for."""

    def __init__(self, device: NetworkPredictor) -> None:
        """Raises InputError when no energy was measured on the device."""
        if device.energy_ is None:
            raise InputError(f"no energy was measured on {device.device_name_}: profile it where there is an energy meter, then fit again")
        self.device, self.energy = device, device.energy_
        self.head_, self.doubt_ = ResidualHead(self.energy.call_mj, 1.0, 0.0), self.energy.doubt(device.doubt_)
        # What a run records about the device behind an objective.
        self.device_name_: str = device.device_name_
        self.origin_: dict[str, Any] = device.origin_
        self.path_: Path | None = device.path_

    def predict(self, network: Network) -> Prediction:
        """The graph path."""
        return self.device.predict(network)

    def predict_operators(self, operators: Any) -> list[Priced]:
        """What every operator adds in mJ, in order."""
        return self.energy.operators_mj(self.device.predict_operators(operators))

    def compile(self, space: Any, lower: Lower | None = None) -> CostTable:
        """The table of a space, see `NetworkPredictor.compile`."""
        if lower is not None:
            return CostTable.compile(space, lower, self, quantity="energy_mj")
        with self.device.lowering() as ask:
            return CostTable.compile(space, ask, self, quantity="energy_mj")
