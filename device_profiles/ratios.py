"""Time now over time then: per operator, per kind, over all; with intervals, and without what the device as a whole explains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device_profiles.operators import Operator
from device_profiles.quantity import Quantity

#: How many standard deviations to either side hold 90 % of a normal distribution.
_NORMAL_90 = 1.645


@dataclass(frozen=True)
class KindRatio:
    """Time now over time then of one kind of operator: `operators` of them were timed again, `share` is what the kind carries of all time.

    `left` is the ratio without what the canaries explain.
    """

    kind: str
    operators: int
    share: float
    ratio: Quantity
    left: Quantity

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        numbers = {"ratio": self.ratio.to_json(), "left": self.left.to_json()}
        return {"kind": self.kind, "operators": self.operators, "share": self.share, **numbers}


def kind_ratios(
    pairs: Iterable[tuple[Operator, Quantity, Quantity]], shares: Mapping[str, float], canaries: Quantity | None
) -> tuple[KindRatio, ...]:
    """The ratio of every kind among `pairs` of (operator, now, then), the kind that carries the most first; `shares` by operator key."""
    kinds: dict[str, list[tuple[Operator, Quantity, Quantity]]] = {}
    for pair in pairs:
        kinds.setdefault(pair[0].kind, []).append(pair)
    # A kind stands for all of its operators, timed again or not.
    kind_of = {key: key.partition("{")[0] for key in shares}
    found = []
    for kind, members in kinds.items():
        logs = [math.log(now.value / then.value) for _, now, then in members]
        halves = [math.hypot(half_width(now), half_width(then)) for _, now, then in members]
        ratio = _mean(logs, halves, [shares[op.key] for op, _, _ in members])
        share = sum(value for key, value in shares.items() if kind_of[key] == kind)
        found.append(KindRatio(kind, len(members), share, ratio, without(ratio, canaries)))
    return tuple(sorted(found, key=lambda kind: (-kind.share, kind.kind)))


def overall(kinds: Sequence[KindRatio]) -> Quantity:
    """The ratio over all kinds, each weighted by the time it carries."""
    total = sum(kind.share for kind in kinds)
    weights = [kind.share / total for kind in kinds]
    centre = sum(w * math.log(kind.ratio.value) for w, kind in zip(weights, kinds, strict=True))
    return _around(centre, math.sqrt(sum((w * half_width(kind.ratio)) ** 2 for w, kind in zip(weights, kinds, strict=True))))


def without(ratio: Quantity, canaries: Quantity | None) -> Quantity:
    """What is left of a ratio after what the canaries explain, as uncertain as both."""
    if canaries is None:
        return ratio
    return _around(math.log(ratio.value / canaries.value), math.hypot(half_width(ratio), half_width(canaries)))


def _mean(logs: Sequence[float], halves: Sequence[float], weights: Sequence[float]) -> Quantity:
    """The weighted mean of log ratios; its interval holds what each leaves open and what they disagree."""
    total = sum(weights)
    shares = [weight / total for weight in weights]
    centre = sum(s * log for s, log in zip(shares, logs, strict=True))
    own = math.sqrt(sum((s * half) ** 2 for s, half in zip(shares, halves, strict=True)))
    apart = _NORMAL_90 * math.sqrt(sum((s * (log - centre)) ** 2 for s, log in zip(shares, logs, strict=True)))
    return _around(centre, math.hypot(own, apart))


def half_width(quantity: Quantity) -> float:
    """Half of the interval relative to the value."""
    return (quantity.high - quantity.low) / 2 / quantity.value


def _around(centre: float, half: float) -> Quantity:
    return Quantity(math.exp(centre), math.exp(centre - half), math.exp(centre + half), "measured")
