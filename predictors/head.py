"""The residual head: what whole networks cost beyond the sum of their operators, and how far a network's price can be wrong.

    latency = call + sum over operators (scale * time + dispatch + weights * weight_ms_per_mb + activations * activation_ms_per_mb)

where activations count differently for kernels that slide windows over images: they fetch ahead of what they compute.

An operator that is timed alone finds its weights in the cache, and its input where the same kernel has just left it; in a network both
come from memory. It is linear in sums over operators on purpose: the price of a network stays additive over its nodes, so that a table of
parts equals the graph path and an exact front can be computed by dynamic programming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.operators import Operator
from device_profiles.quantity import Quantity
from predictors.conformal import half_width
from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.kinds import kind_family, short_kind

#: What a head adds up over the operators of a network: the columns of `head_terms`. Megabytes are 10^6 bytes.
TERMS = ("kernel_ms", "operators", "weight_mb", "image_mb", "activation_mb")

#: Kernels that slide windows over images: what they read and write is `image_mb`, all other activations are `activation_mb`.
_WINDOWS = frozenset({"conv", "deconv", "pool", "global_pool"})

#: Weights beyond this come from memory whenever they are timed, in a network or alone: they count no further.
_CACHED_MB = 8.0

#: Relative error of the sum of operators that the fit expects of one network; against it the pull towards the plain sum is weighed.
_NOISE = 0.03

#: How far the numbers may stray from those of the plain sum before it costs as much as one network's error: the scale from 1, a dispatch
#: from 0 ms, a megabyte of weights, of images and of other activations from 0 ms.
_STRAY = (0.1, 0.0003, 0.03, 0.015, 0.03)

#: The call of a network costs more than the empty call: the first guess may be off by its own size, and by this many ms.
_CALL_STRAY = 0.005

#: Log error expected of a network's price before any whole network was measured.
PRIOR_NETWORK = 0.1

#: Share of the half-widths of operators expected to remain in a network's error; before any network was measured it means all of them.
_PRIOR_SHARE = 0.35


def head_terms(operators: Sequence[Operator], times_ms: npt.ArrayLike) -> Matrix:
    """What operators that take these times alone, `(n,)`, put into the sums of a head, shape `(n, len(TERMS))`."""
    terms = np.zeros((len(operators), len(TERMS)))
    terms[:, 0], terms[:, 1] = times_ms, 1.0
    for row, op in zip(terms, operators, strict=True):
        group = kind_family(short_kind(op))
        # A gather touches as much of its table as it writes.
        weights = (min(op.weight_bytes, op.written_bytes) if op.base_kind.startswith("Gather") else op.weight_bytes) / 1e6
        row[2] = min(weights, _CACHED_MB)
        if group != "reshape":  # a view touches nothing
            moved = (op.read_bytes - op.weight_bytes + op.written_bytes) / 1e6
            row[3 if op.kind.startswith("nchwc.") or group in _WINDOWS else 4] = moved
    return terms


@dataclass(frozen=True, slots=True)
class ResidualHead:
    """What a call costs, and what every one of `TERMS` counts for; all numbers are >= 0."""

    call_ms: float = 0.0
    scale: float = 1.0
    dispatch_ms: float = 0.0
    weight_ms_per_mb: float = 0.0
    image_ms_per_mb: float = 0.0
    activation_ms_per_mb: float = 0.0

    @classmethod
    def fit(cls, terms: npt.ArrayLike, measured_ms: npt.ArrayLike, floor_ms: float) -> ResidualHead:
        """From whole networks: the sums of `head_terms` over their operators `(n, len(TERMS))` and their measured times `(n,)`.

        Least squares on relative errors, pulled towards the sum of kernel times and a call of `floor_ms`; without a network it is exactly
        that.
        """
        measured = np.asarray(measured_ms, dtype=np.float64)
        plain = cls(floor_ms)
        if not measured.size:
            return plain
        from scipy.optimize import nnls  # slow to import, and needed here only

        rough = np.array([max(floor_ms, _CALL_STRAY), *_STRAY])
        columns = np.column_stack([np.ones(len(measured)), np.asarray(terms, dtype=np.float64)])
        design = np.vstack([columns / measured[:, None] / _NOISE * rough, np.eye(len(rough))])
        target = np.concatenate([np.full(len(measured), 1.0 / _NOISE), np.array(astuple(plain)) / rough])
        call, scale, *rates = (nnls(design, target)[0] * rough).tolist()
        # A scale of 0 would make every network cost the same; no data of real networks asks for less than a tenth.
        return cls(call, max(scale, 0.1), *rates)

    @property
    def rates(self) -> Vector:
        """What one of every `TERMS` counts for, `(len(TERMS),)`."""
        return np.array(astuple(self)[1:])

    def node_ms(self, terms: Matrix) -> Vector:
        """What operators of these terms `(n, len(TERMS))` add to a network, `(n,)`."""
        return np.asarray((terms * self.rates).sum(axis=-1))

    def network_ms(self, terms: Matrix) -> Vector:
        """The latency of networks from the sums of terms over their operators, `(n, len(TERMS))`, or of one from `(len(TERMS),)`."""
        return np.asarray(self.call_ms + self.node_ms(terms))

    def to_json(self) -> dict[str, float]:
        """The numbers by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ResidualHead:
        """The inverse of `to_json`."""
        return cls(**{name: float(data[name]) for name in cls.__slots__})


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
