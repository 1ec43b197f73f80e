"""How a number is obtained: what is timed, how often, and what is concluded from it.

A *call* runs a model once. A *block* is calls back to back on one model; it gives three numbers: the mean call of its fastest
*window* (a stretch of at least `window_us`), the median call, and the 95th percentile. A *round* visits every model of the
campaign once, in a new random order, so that a slow minute of the machine hits all alike.

The headline is the mean of the fastest windows of the fastest sixteenth of the rounds. Neighbours on a shared machine only add time, and
they leave it alone for milliseconds at a time: what is wanted is the speed in those milliseconds. A window is a stretch of time
and not a number of calls, so that cheap and dear models need the same stretch of quiet and are judged in the same state of the machine.
The typical value (the median) and the tail (95th percentile) are kept beside it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from device_profiles.graphs.views import as_in_a_network
from device_profiles.operators import Operator
from device_profiles.quantity import Quantity

#: Share of the rounds, from the fastest, that the headline averages; never fewer than three rounds.
LOW_SHARE = 1 / 16

#: So many quiet calls, from so many rounds at least, count as much as all that is known without them; and which of them counts: a little
#: below the median, because a call between two quiet moments need not have been quiet all the way.
_QUIET_CALLS, _QUIET_ROUNDS, _TYPICAL = 8, 3, 0.35

#: What remains unknown however many rounds there are: repeated campaigns on a quiet machine differ by about this much.
SYSTEMATIC = 0.004

#: A result whose interval is wider than this to either side says so.
NOISY = 0.03

#: A device whose canaries run slower than at their best by more than this has drifted.
DRIFT = 0.03

#: After a look at whether an item is done early it gets this many times its rounds before the next look.
_LOOK_AGAIN = 1.4

#: Draws of the bootstrap behind every interval.
_BOOTSTRAP = 200


@dataclass(frozen=True, slots=True)
class Protocol:
    """The settings of a campaign; they are written into the profile.

    `min_rounds` and `max_rounds` bound the rounds per item; `narrow` is the relative half-width at which an item needs no more of them.
    `good_rounds` is what a budget gives every item that it takes up, as long as it is not narrow: fewer items, but good ones (a short one
    sees to a hundred items first).
    `call_us` is the least time of one call of an isolated operator: cheaper operators are repeated side by side, up to `max_copies`.
    A call is quiet where a probe of the core takes at most `quiet` times its best right before and right after it; see `runtimes.quiet`.
    `prelude_rounds` time nothing but the canaries, to learn what the device can do before
    anything is compared with it.
    """

    block_ms: float = 2.5
    window_us: float = 250.0
    warmup_calls: int = 1
    min_calls: int = 3
    max_calls: int = 5000
    min_rounds: int = 12
    good_rounds: int = 32
    max_rounds: int = 240
    narrow: float = 0.006
    call_us: float = 200.0
    max_copies: int = 32
    prelude_rounds: int = 80
    quiet: float = 1.3

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON."""
        return asdict(self)

    def looks(self) -> set[int]:
        """The numbers of rounds after which an item may be done early."""
        found = [self.min_rounds]
        while found[-1] < self.max_rounds:
            found.append(math.ceil(_LOOK_AGAIN * found[-1]))
        return set(found)


def block_summary(times_ns: npt.NDArray[np.int64], window_us: float, quiet: npt.NDArray[np.bool_] | None = None) -> list[float]:
    """One block in milliseconds per call: the fastest window, the median and the 95th percentile.

    Where it is known which calls were `quiet` `(calls,)`, two numbers more: what these took (0 when there are none), and how many they are.
    """
    calls = int(np.ceil(window_us * 1e3 / np.median(times_ns)))
    windows = times_ns[: len(times_ns) // calls * calls].reshape(-1, calls) if calls < len(times_ns) else times_ns[None]
    summary = [round(float(v) / 1e6, 7) for v in (windows.mean(axis=1).min(), *np.percentile(times_ns, (50, 95)))]
    if quiet is None:
        return summary
    left_alone = times_ns[quiet]
    typical = round(float(np.quantile(left_alone, _TYPICAL)) / 1e6, 7) if left_alone.size else 0.0
    return [*summary, typical, float(left_alone.size)]


def low_mean(rounds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of the lowest sixteenth (at least three) along the last axis."""
    count = min(rounds.shape[-1], max(3, math.ceil(LOW_SHARE * rounds.shape[-1])))
    low: npt.NDArray[np.float64] = np.partition(rounds, count - 1, axis=-1)[..., :count].mean(axis=-1)
    return low


def quiet_share(samples_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much quiet calls count in the headline of blocks `(..., rounds, 3 or 5)`, from 0 to nearly 1; `(...)`."""
    if samples_ms.shape[-1] < 5:
        return np.zeros(samples_ms.shape[:-2])
    counts = samples_ms[..., 4]
    calls = np.where((counts > 0).sum(axis=-1) >= _QUIET_ROUNDS, counts.sum(axis=-1), 0.0)
    return np.asarray(calls / (calls + _QUIET_CALLS))


def quiet_typical(samples_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What quiet calls took, over blocks `(..., rounds, 5)` by how many each of them holds; `(...)`. Of no meaning where there are none."""
    order = np.argsort(samples_ms[..., 3], axis=-1)
    values, counts = (np.take_along_axis(samples_ms[..., column], order, axis=-1) for column in (3, 4))
    below = counts.cumsum(axis=-1) - counts / 2
    first = (below >= _TYPICAL * counts.sum(axis=-1, keepdims=True)) & (counts > 0)
    return np.asarray(np.take_along_axis(values, first.argmax(axis=-1)[..., None], axis=-1)[..., 0])


def headline(samples_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The time that the device needs when it is left alone, from blocks `(..., rounds, 3 or 5)`; `(...)`."""
    share, low = quiet_share(samples_ms), low_mean(samples_ms[..., 0])
    if not share.any():
        return low
    return np.asarray(low * np.where(share > 0, quiet_typical(samples_ms) / low, 1.0) ** share)


def estimate(samples_ms: npt.ArrayLike, systematic: float = SYSTEMATIC) -> Quantity:
    """The headline and its 90 % interval from the blocks of one item.

    `samples_ms`: shape `(rounds, 3 or 5)`, the summary of each block. The interval is that of a bootstrap over rounds, widened by the
    `systematic` share. Raises InputError without a round.
    """
    samples = np.asarray(samples_ms, dtype=np.float64)
    if samples.ndim != 2 or samples.shape[0] == 0:
        raise InputError(f"an estimate needs at least one round of three numbers, got an array of shape {samples.shape}")
    value = float(headline(samples))
    draws = np.random.default_rng(0).integers(0, len(samples), (_BOOTSTRAP, len(samples)))
    # The least of a resample can only lie above the least of the sample, so the bootstrap is mirrored around the estimate.
    spread = np.abs(headline(samples[draws]) - value)
    half = float(np.quantile(spread, 0.9)) + systematic * value
    if len(samples) < 3:
        half += 0.05 * value  # one or two rounds say nothing about their spread
    return Quantity(value, max(value - half, 0.0), value + half, "measured")


def warnings(quantity: Quantity, rounds: int, drift: float, min_rounds: int) -> list[str]:
    """What a reader must know about a result: few rounds, a wide interval, a device that was slower than at its best.

    `drift`: how much slower the canaries were over the rounds of this result than at their best (0 for not at all).
    """
    found = []
    if rounds < min_rounds:
        found.append(f"few rounds: {rounds} of {min_rounds}")
    half = (quantity.high - quantity.low) / 2 / quantity.value
    if half > NOISY:
        found.append(f"noisy: uncertain by {half:.0%}")
    if drift > DRIFT:
        found.append(f"drift: the device ran {drift:.0%} slower than at its best; corrected by that much")
    return found


def guess_ms(operator: Operator) -> float:
    """A rough time from work alone (10 billion MACs and 5 billion bytes a second), good enough to plan with."""
    operator = as_in_a_network(operator)
    return 0.0005 + operator.macs / 1e10 * 1e3 + (operator.read_bytes + operator.written_bytes) / 5e9 * 1e3


def copies_for(operator: Operator, protocol: Protocol) -> int:
    """How many copies of an operator one timed call should hold: enough that the call's own overhead is negligible, within 32 MB."""
    operator = as_in_a_network(operator)
    wanted = protocol.call_us / 1e3 / guess_ms(operator)
    room = 32e6 / max(operator.weight_bytes + operator.written_bytes, 1.0)
    return int(max(1, min(wanted, room, protocol.max_copies)))
