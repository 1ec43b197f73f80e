"""Whole networks against the sums of their operators: how the head and the widths of intervals are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.head import TERMS, Doubt, ResidualHead, head_terms
from predictors.pricing import MIN_FOR_CHOICE, OperatorPricer

if TYPE_CHECKING:
    from device_profiles.profile import DeviceProfile, NetworkMeasurement


def floor_ms(profile: DeviceProfile) -> float:
    """The empty call as the campaign measured it, in ms; 0 when it did not."""
    floors = [float(line["floor_ms"]) for line in profile.lines if isinstance(line.get("floor_ms"), int | float)]
    return float(np.median(floors)) if floors else 0.0


def left_out_heads(terms: Matrix, measured_ms: Vector, floor: float) -> list[ResidualHead]:
    """For each of `n` networks the head fitted on all others."""
    return [ResidualHead.fit(np.delete(terms, i, axis=0), np.delete(measured_ms, i), floor) for i in range(len(measured_ms))]


def network_terms(
    pricer: OperatorPricer, networks: Sequence[NetworkMeasurement], instead: dict[str, tuple[float, float]]
) -> tuple[Matrix, Vector]:
    """Per network the sums over its operators of `head_terms`, `(n, len(TERMS))`, and of the half-widths of their prices in ms, `(n,)`.

    `instead` replaces (price, relative half-width) of operators by key.
    """
    terms, doubts = np.zeros((len(networks), len(TERMS))), np.zeros(len(networks))
    for i, net in enumerate(networks):
        operators, counts = [op for op, _ in net.operators], np.array([count for _, count in net.operators], dtype=np.float64)
        prices = [instead.get(price.operator.key, (price.value, price.half_width)) for price in pricer.price(operators)]
        values, halves = np.array(prices).reshape(-1, 2).T
        terms[i] = counts @ head_terms(operators, values)
        doubts[i] = counts @ (values * halves)
    return terms, doubts


def fit_head(pricer: OperatorPricer, networks: Sequence[NetworkMeasurement], floor: float) -> tuple[ResidualHead, Doubt]:
    """The head on all networks, and the widths of intervals from the errors of heads that did not see the network."""
    measured = np.array([net.latency_ms.value for net in networks])
    terms, doubts = network_terms(pricer, networks, {})
    errors, halves = _left_out_errors(terms, doubts, measured, floor)
    prices, widths = pricer.held_out_.policy(MIN_FOR_CHOICE)
    share = 1.0
    if np.isfinite(prices).all():
        unseen = zip(pricer.operators_, prices.tolist(), np.expm1(np.minimum(widths, 20.0)).tolist(), strict=True)
        instead = {op.key: (price, half) for op, price, half in unseen}
        share = Doubt.share_left(*_left_out_errors(*network_terms(pricer, networks, instead), measured, floor))
    return ResidualHead.fit(terms, measured, floor), Doubt.fit(errors, halves, share)


def _left_out_errors(terms: Matrix, doubts: Vector, measured: Vector, floor: float) -> tuple[Vector, Vector]:
    """Log errors of networks by heads that did not see them, and the sums of their half-widths relative to the price; each `(n,)`."""
    heads = left_out_heads(terms, measured, floor)
    totals = np.array([float(head.network_ms(row)) for head, row in zip(heads, terms, strict=True)])
    return np.log(totals / measured), np.array([head.scale for head in heads]) * doubts / totals
