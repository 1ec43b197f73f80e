"""The residual head: what whole networks cost beyond the sum of their operators, and how far a network's price can be wrong.

    latency = call + sum over operators (scale * time + dispatch)

It is linear in sums over operators on purpose: the price of a network stays additive over its nodes, so that a table of parts equals the
graph path and an exact front can be computed by dynamic programming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from device_profiles.quantity import Quantity
from predictors.conformal import half_width
from predictors.estimator import Vector

#: Relative error of the sum of operators that the fit expects of one network; against it the pull towards the plain sum is weighed.
_NOISE = 0.03

#: How far the scale may stray from 1 and the dispatch per operator (ms) from 0 before it costs as much as one network's error.
_SCALE_STRAY, _DISPATCH_STRAY = 0.1, 0.0003

#: The call of a network costs more than the empty call: the first guess may be off by its own size, and by this many ms.
_CALL_STRAY = 0.005

#: Log error expected of a network's price before any whole network was measured.
PRIOR_NETWORK = 0.1

#: Share of the half-widths of operators expected to remain in a network's error; before any network was measured it means all of them.
_PRIOR_SHARE = 0.35


@dataclass(frozen=True, slots=True)
class ResidualHead:
    """`call_ms + scale * (sum of operator times) + dispatch_ms * (number of operators)`; all three are >= 0."""

    call_ms: float = 0.0
    scale: float = 1.0
    dispatch_ms: float = 0.0

    @classmethod
    def fit(cls, sums_ms: npt.ArrayLike, counts: npt.ArrayLike, measured_ms: npt.ArrayLike, floor_ms: float) -> ResidualHead:
        """From whole networks: the sums of their operator prices, their numbers of operators and their measured times, each `(n,)`.

        Least squares on relative errors, pulled towards `(floor_ms, 1, 0)`; without a network it is exactly that.
        """
        measured = np.asarray(measured_ms, dtype=np.float64)
        rough = np.array([max(floor_ms, _CALL_STRAY), _SCALE_STRAY, _DISPATCH_STRAY])
        start = np.array([floor_ms, 1.0, 0.0])
        if not measured.size:
            return cls(*start.tolist())
        terms = np.stack([np.ones(len(measured)), np.asarray(sums_ms, dtype=np.float64), np.asarray(counts, dtype=np.float64)], axis=1)
        design = np.vstack([terms / measured[:, None] / _NOISE * rough, np.eye(3)])
        target = np.concatenate([np.full(len(measured), 1.0 / _NOISE), start / rough])
        call, scale, dispatch = (nnls(design, target)[0] * rough).tolist()
        # A scale of 0 would make every network cost the same; no data of real networks asks for less than a tenth.
        return cls(call, max(scale, 0.1), dispatch)

    def node_ms(self, operator_ms: npt.ArrayLike) -> Vector:
        """What operators of these times add to a network; the shape is kept."""
        return np.asarray(self.scale * np.asarray(operator_ms, dtype=np.float64) + self.dispatch_ms)

    def network_ms(self, sums_ms: npt.ArrayLike, counts: npt.ArrayLike) -> Vector:
        """The latency of networks from the sums over their operators; shapes are kept."""
        return np.asarray(self.call_ms + self.scale * np.asarray(sums_ms) + self.dispatch_ms * np.asarray(counts))

    def to_json(self) -> dict[str, float]:
        """The three numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ResidualHead:
        """The inverse of `to_json`."""
        return cls(float(data["call_ms"]), float(data["scale"]), float(data["dispatch_ms"]))


@dataclass(frozen=True, slots=True)
class Doubt:
    """How wide a network's interval is.

    `network` is the log half-width of one whose operators are known exactly; `share` is how much of the half-widths of its operators
    remains after they have been added up (1: all wrong the same way); `networks` is how many it was learned from.
    """

    network: float
    share: float
    networks: int

    @classmethod
    def fit(cls, errors: npt.ArrayLike, halves: npt.ArrayLike, share: float = 1.0) -> Doubt:
        """From left-out networks: log errors `(n,)`, the relative half-widths that their operators add up to `(n,)`, and the share.

        With few networks the width is wide, without any it is what `PRIOR_NETWORK` says.
        """
        # The least half-width with which each network's interval would have held it, beside what its operators account for.
        left = np.square(np.asarray(errors, dtype=np.float64)) - np.square(share * np.asarray(halves, dtype=np.float64))
        return cls(half_width(np.sqrt(np.maximum(left, 0.0)), PRIOR_NETWORK), share, len(left))

    @staticmethod
    def share_left(errors: npt.ArrayLike, halves: npt.ArrayLike) -> float:
        """The share, from the errors of networks all of whose operators were priced as if they had not been measured; `(n,)` each."""
        wide = np.asarray(halves, dtype=np.float64)
        ratios = np.abs(np.asarray(errors, dtype=np.float64))[wide > 0] / wide[wide > 0]
        return float(np.clip(half_width(ratios, _PRIOR_SHARE), 0.05, 1.0))

    def widths(self, totals_ms: npt.ArrayLike, doubt_ms: npt.ArrayLike) -> Vector:
        """Relative half-widths of networks of these latencies, in which the half-widths of operators add up to `doubt_ms`."""
        relative = self.share * np.asarray(doubt_ms, dtype=np.float64) / np.asarray(totals_ms, dtype=np.float64)
        return np.asarray(np.sqrt(math.expm1(self.network) ** 2 + np.square(relative)))

    def interval(self, total_ms: float, doubt_ms: float) -> Quantity:
        """The latency of one network with its 90 % interval."""
        factor = 1.0 + float(self.widths(total_ms, doubt_ms))
        return Quantity(total_ms, total_ms / factor, total_ms * factor, "predicted")

    def to_json(self) -> dict[str, float]:
        """The three numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Doubt:
        """The inverse of `to_json`."""
        return cls(float(data["network"]), float(data["share"]), int(data["networks"]))
