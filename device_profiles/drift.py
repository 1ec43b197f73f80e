"""How much slower than at its best the device was while something was timed.

Canary operators are timed in every round. What was timed in some rounds is compared with the canaries *of the same rounds*, by the same
estimator: noise that comes and goes hits both alike and cancels, and a device that got slower for good (heat, a neighbour that stays) shows
as canaries that no longer reach their best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_profiles.items import Item
from device_profiles.protocol import DRIFT, low_mean, quiet_share, quiet_typical
from device_profiles.quantity import Quantity

#: Canary key -> its blocks, rows of three or five numbers; and what it took at another time, in ms.
Blocks = Mapping[str, Sequence[Sequence[float]]]
Known = Mapping[str, float]

#: A device at its best is as fast as in the fastest tenth of the stretches of so many rounds in which quiet calls count so much.
_STRETCH, _BEST, _SURE = 24, 0.1, 0.67

Rows = npt.NDArray[np.float64]
Level = Callable[[Rows], float]


@dataclass(frozen=True)
class Drift:
    """The slowdown against the best (1 for none): the geometric mean over canaries, and how far they disagree (log, to either side)."""

    ratio: float
    doubt: float

    @property
    def significant(self) -> bool:
        """Whether it is more than canaries differ by on a device that stays as it is."""
        return self.ratio > 1 + DRIFT

    def corrected(self, quantity: Quantity) -> Quantity:
        """What the device would have needed at its best: less by the ratio, and less certain by what the canaries disagree."""
        if not self.significant:
            return quantity
        spread, value = math.exp(self.doubt), quantity.value / self.ratio
        return Quantity(value, quantity.low / self.ratio / spread, quantity.high / self.ratio * spread, quantity.origin)


def drift(canaries: Sequence[Item], numbers: Sequence[int], earlier: Blocks, known: Known, quiet: float) -> Drift:
    """The drift over the rounds from the first to the last of `numbers`.

    `canaries` hold this campaign's rounds of them, `earlier` those of earlier campaigns on the same device, `known` what they took when it
    may have been better. `quiet`: how much quiet calls count in what was timed (`protocol.quiet_share`), and so in the canaries.
    """
    logs = []
    for item in canaries:
        own = np.array(item.rounds)
        here = own[(np.array(item.numbers) >= numbers[0]) & (np.array(item.numbers) <= numbers[-1])]
        if not len(here):
            logs.append(0.0)
            continue
        parts = [own, here, *([np.array(earlier[item.key])] if item.key in earlier else [])]
        share = quiet if all(quiet_share(part) for part in parts) else 0.0
        logs.append((1 - share) * _slower(_low, _low, here, parts, known.get(item.key)))
        if share:
            logs[-1] += share * _slower(_quiet, _best_quiet, here, parts, known.get(item.key))
    return Drift(math.exp(float(np.mean(logs))), (max(logs) - min(logs)) / 2)


def _slower(level: Level, best: Level, here: Rows, parts: Sequence[Rows], known: float | None) -> float:
    """Log of the level of the blocks `here` over the best of all `parts`, and of what is `known`."""
    now = level(here)
    return math.log(now / min(now, *map(best, parts), math.inf if known is None else known))


def _low(blocks: Rows) -> float:
    return float(low_mean(blocks[:, 0]))


def _quiet(blocks: Rows) -> float:
    return float(quiet_typical(blocks))


def _best_quiet(blocks: Rows) -> float:
    """What quiet calls took in the fastest stretches of `blocks` `(rounds, 5)`, which hold some in all."""
    stretches = np.array_split(blocks, max(1, len(blocks) // _STRETCH))
    enough = [part for part in stretches if quiet_share(part) >= _SURE]
    return float(np.quantile([_quiet(part) for part in enough or [blocks]], _BEST))


def compare(now: Mapping[str, Quantity], before: Mapping[str, Quantity]) -> Quantity | None:
    """How much slower the canaries are now than before, as a ratio with its interval; None when they have no canary in common.

    The interval holds what the measurements leave open and what the canaries disagree.
    """
    common = sorted(set(now) & set(before))
    if not common:
        return None
    logs = np.array([math.log(now[key].value / before[key].value) for key in common])
    halves = [math.hypot(*((q.high - q.low) / 2 / q.value for q in (now[key], before[key]))) for key in common]
    centre = float(logs.mean())
    half = math.hypot(math.sqrt(sum(h * h for h in halves)) / len(halves), float(logs.max() - logs.min()) / 2)
    return Quantity(math.exp(centre), math.exp(centre - half), math.exp(centre + half), "measured")
