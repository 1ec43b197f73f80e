"""A predictor of a new device, or of a new version of a runtime, from that of an old one and a few measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from device_profiles.errors import InputError
from device_profiles.operators import Operator
from device_profiles.quantity import Quantity
from predictors.estimator import Vector
from predictors.features import Matrix, family
from predictors.few_shot import Posterior
from predictors.head import Doubt, ResidualHead
from predictors.network import NetworkPredictor
from predictors.next_measurement import next_measurements
from predictors.pricing import OperatorPricer
from predictors.speed_ratios import SpeedRatios

if TYPE_CHECKING:
    from device_profiles.profile import DeviceProfile, NetworkMeasurement

Item = TypeVar("Item")

#: More measurements of one sort than this say nothing more about what operators share; they are still taken for what they are.
MOST = 200

#: No operator gets faster than this share of what the others make of it.
_LEAST_RATIO = 0.05

#: Half-widths of intervals in standard deviations.
_NORMAL_90 = 1.645

#: Relative error of a comparison between devices as expected before there is one.
_EXPECTED_NOISE = 0.03


@dataclass(frozen=True)
class _Compared:
    """Measurements beside the old device: `rows` `(k, q)`, `ratios` new over old `(k,)`, and relative errors `known` `(k,)` of both."""

    rows: Matrix
    ratios: Vector
    known: Vector

    def posterior(self, scale: float, without: int | None = None) -> Posterior:
        """What the measurements, all or all but one, say about the ratios beyond the common `scale`."""
        kept = np.arange(len(self.ratios)) != without
        return Posterior.of(self.rows[kept], self.ratios[kept] / scale - 1.0, self.known[kept])


def transfer(device: NetworkPredictor, small: DeviceProfile) -> NetworkPredictor:
    """The predictor of the device on which `small` was measured, where `device` is the predictor of another one.

    `small` holds a few operators, whole networks, or both. Every price of the old device is scaled: by a common ratio, by one per family of
    operators and by size, each as far as the measurements demand; what was measured stands as measured. Intervals hold what remains
    open. Raises InputError when `small` holds no measurement or was made on an emulated processor.
    """
    small.refuse_functional()
    operators, networks = small.operators(), small.networks()
    if not operators and not networks:
        raise InputError("a transfer needs at least one measured operator or network of the new device; measure some with `hwnas profile`")
    alone = {op.key: op for op in [m.operator for m in _some(operators)] + [op for net in _some(networks) for op, _ in net.operators]}
    ratios = SpeedRatios(device.pricer_, device.head_, list(alone.values()))
    compared = _compare(device, ratios, small)
    scale = float(np.exp(np.median(np.log(compared.ratios))))
    posterior = compared.posterior(scale)
    new = NetworkPredictor()
    new.pricer_ = _pricer(device, ratios, posterior, scale, small)
    slower = np.maximum(1.0 + posterior.ratios(ratios.head_rows()), _LEAST_RATIO) * scale
    call, *rates = (slower * [device.head_.call_ms, *device.head_.rates[1:]]).tolist()
    new.head_ = ResidualHead(call, device.head_.scale, *rates)
    new.doubt_ = _doubt(device, new, compared, scale, networks)
    new.device_name_ = small.device_name
    header = {name: small.header.get(name, {}) for name in ("device", "runtime", "protocol")}
    canaries = {key: quantity.to_json() for key, quantity in small.canaries().items()}
    facts = {"sha256": small.sha256, "operators": len(operators), "networks": len(networks), "canaries": canaries}
    old = {"device": device.device_name_, "sha256": device.origin_["profile"].get("sha256", "")}
    new.origin_ = {**header, "profile": {**facts, "transferred_from": old}}
    return new


def next_items(
    device: NetworkPredictor, count: int, networks: Sequence[NetworkMeasurement] = (), *, operators_only: bool = False
) -> list[Operator | NetworkMeasurement]:
    """The `count` operators and networks to measure on a new device so that `transfer` learns the most, in order.

    The candidates are the operators that `device` was fitted on and the `networks` (without `operators_only`). What is to be known well
    are the `networks`; without any, all operators, each by the time it takes.
    """
    operators = [op for op in device.pricer_.operators_ if device.pricer_.measured_[op.key].origin == "measured"]
    operators = operators or device.pricer_.operators_
    operators = [operators[i] for i in np.unique(np.linspace(0, len(operators) - 1, min(len(operators), 2 * MOST)).astype(int))]
    ratios = SpeedRatios(device.pricer_, device.head_, operators)
    rows = np.vstack([ratios.rows(operators), *(ratios.network(net.operators)[1] for net in networks)])
    weights, costs = np.ones(len(rows)), np.ones(len(rows))
    times = ratios.times_ms(operators)
    weights[: len(operators)] = 0.0 if networks else times / times.sum()
    if operators_only:
        costs[len(operators) :] = np.inf
        count = min(count, len(operators))
    chosen = next_measurements(rows, _EXPECTED_NOISE, count, weights=weights, costs=costs)
    return [operators[i] if i < len(operators) else networks[i - len(operators)] for i in chosen]


def family_ratios(old: NetworkPredictor, new: NetworkPredictor) -> dict[str, float]:
    """Time on the new device over time on the old one by family of operators, the median over those the old one was fitted on."""
    found: dict[str, list[float]] = {}
    operators = old.pricer_.operators_
    for op, before, after in zip(operators, old.pricer_.price(operators), new.pricer_.price(operators), strict=True):
        found.setdefault(family(op), []).append(after.value / before.value)
    return {name: float(np.median(ratios)) for name, ratios in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))}


def _some(items: Sequence[Item]) -> list[Item]:
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(len(items), MOST)).astype(int))] if items else []


def _compare(device: NetworkPredictor, ratios: SpeedRatios, small: DeviceProfile) -> _Compared:
    """Networks first, then operators."""
    networks, measured = _some(small.networks()), _some(small.operators())
    old = [ratios.network(net.operators) for net in networks]
    prices = device.pricer_.price([m.operator for m in measured])
    rows = np.vstack([*(row for _, row in old), ratios.rows([m.operator for m in measured]) if measured else np.zeros((0, ratios.width))])
    times = np.array([total for total, _ in old] + [price.value for price in prices])
    latencies = [net.latency_ms for net in networks] + [m.latency_ms for m in measured]
    now = np.array([latency.value for latency in latencies])
    halves = np.array([np.expm1(device.doubt_.network)] * len(networks) + [price.half_width for price in prices])
    own = np.array([(latency.high - latency.low) / 2 / latency.value for latency in latencies])
    return _Compared(rows, now / times, np.hypot(np.minimum(halves, 3.0), own) / _NORMAL_90)


def _pricer(device: NetworkPredictor, ratios: SpeedRatios, posterior: Posterior, scale: float, small: DeviceProfile) -> OperatorPricer:
    """Prices of the new device: what was measured there, and every measured price of the old one, scaled."""
    here = {m.key: m for m in small.operators()}
    failed = [str(line["key"]) for line in small.failures() if line["type"] == "operator"]
    moved = [op for op in device.pricer_.operators_ if op.key not in here and op.key not in failed]
    quantities = _scaled(device, ratios, posterior, scale, moved) if moved else []
    operators = [m.operator for m in here.values()] + moved
    return OperatorPricer().fit(operators, [m.latency_ms for m in here.values()] + quantities, failed)


def _scaled(
    device: NetworkPredictor, ratios: SpeedRatios, posterior: Posterior, scale: float, operators: Sequence[Operator]
) -> list[Quantity]:
    rows = ratios.rows(operators)
    ratio = np.maximum(1.0 + posterior.ratios(rows), _LEAST_RATIO)
    alone = _NORMAL_90 * ratios.left_alone(operators) * posterior.size
    halves = np.hypot(posterior.half_widths(rows), alone) / ratio
    found = []
    for price, factor, half in zip(device.pricer_.price(operators), (scale * ratio).tolist(), halves.tolist(), strict=True):
        value, wide = price.value * factor, 1.0 + float(np.hypot(half, price.half_width))
        found.append(Quantity(value, value / wide, value * wide, "predicted"))
    return found


def _doubt(
    device: NetworkPredictor, new: NetworkPredictor, compared: _Compared, scale: float, networks: Sequence[NetworkMeasurement]
) -> Doubt:
    """The width of the intervals of networks, from the error on each when it is left out.

    Without any, all operators may be wrong the same way.
    """
    if not networks:
        return replace(device.doubt_, share=1.0, networks=0)
    errors, halves = [], []
    for index, net in enumerate(_some(networks)):
        if len(compared.ratios) > 1:
            ratio = max(1.0 + float(compared.posterior(scale, index).ratios(compared.rows[index])), _LEAST_RATIO) * scale
            errors.append(float(np.log(ratio / compared.ratios[index])))
            prices = new.pricer_.price([op for op, _ in net.operators])
            doubts = sum(count * price.value * price.half_width for price, (_, count) in zip(prices, net.operators, strict=True))
            halves.append(new.head_.scale * doubts / net.latency_ms.value)
    fitted = Doubt.fit(errors, halves, device.doubt_.share)
    return replace(fitted, network=max(fitted.network, device.doubt_.network))
