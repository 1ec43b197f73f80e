"""Whole networks against the sums of their operators: how the head and the widths of intervals are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from predictors.estimator import Vector
from predictors.head import Doubt, ResidualHead
from predictors.pricing import MIN_FOR_CHOICE, OperatorPricer

if TYPE_CHECKING:
    from device_profiles.profile import DeviceProfile, NetworkMeasurement


def floor_ms(profile: DeviceProfile) -> float:
    """The empty call as the campaign measured it, in ms; 0 when it did not."""
    floors = [float(line["floor_ms"]) for line in profile.lines if isinstance(line.get("floor_ms"), int | float)]
    return float(np.median(floors)) if floors else 0.0


def left_out_heads(sums_ms: Vector, counts: Vector, measured_ms: Vector, floor: float) -> list[ResidualHead]:
    """For each of `n` networks the head fitted on all others."""
    every = range(len(measured_ms))
    return [ResidualHead.fit(np.delete(sums_ms, i), np.delete(counts, i), np.delete(measured_ms, i), floor) for i in every]


def network_sums(
    pricer: OperatorPricer, networks: Sequence[NetworkMeasurement], instead: dict[str, tuple[float, float]]
) -> tuple[Vector, Vector]:
    """Per network the sum of operator prices, and of their half-widths; each `(n,)`.

    `instead` replaces (price, relative half-width) of operators by key.
    """
    sums, doubts = np.zeros(len(networks)), np.zeros(len(networks))
    for i, net in enumerate(networks):
        for price, (op, count) in zip(pricer.price([op for op, _ in net.operators]), net.operators, strict=True):
            value, half = instead.get(op.key, (price.value, price.half_width))
            sums[i] += count * value
            doubts[i] += count * value * half
    return sums, doubts


def fit_head(pricer: OperatorPricer, networks: Sequence[NetworkMeasurement], floor: float) -> tuple[ResidualHead, Doubt]:
    """The head on all networks, and the widths of intervals from the errors of heads that did not see the network."""
    measured = np.array([net.latency_ms.value for net in networks])
    counts = np.array([sum(count for _, count in net.operators) for net in networks], dtype=np.float64)
    sums, doubts = network_sums(pricer, networks, {})
    errors, halves = _left_out_errors(sums, doubts, counts, measured, floor)
    prices, widths = pricer.held_out_.policy(MIN_FOR_CHOICE)
    share = 1.0
    if np.isfinite(prices).all():
        unseen = zip(pricer.operators_, prices.tolist(), np.expm1(np.minimum(widths, 20.0)).tolist(), strict=True)
        instead = {op.key: (price, half) for op, price, half in unseen}
        share = Doubt.share_left(*_left_out_errors(*network_sums(pricer, networks, instead), counts, measured, floor))
    return ResidualHead.fit(sums, counts, measured, floor), Doubt.fit(errors, halves, share)


def _left_out_errors(sums: Vector, doubts: Vector, counts: Vector, measured: Vector, floor: float) -> tuple[Vector, Vector]:
    """Log errors of networks by heads that did not see them, and the sums of their half-widths relative to the price; each `(n,)`."""
    heads = left_out_heads(sums, counts, measured, floor)
    totals = np.array([float(head.network_ms(s, c)) for head, s, c in zip(heads, sums, counts, strict=True)])
    return np.log(totals / measured), np.array([head.scale for head in heads]) * doubts / totals
