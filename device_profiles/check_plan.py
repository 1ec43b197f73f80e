"""Which operators of a profile say the most about whether it still holds, in the seconds that there are."""

from __future__ import annotations

from device_profiles.operators import Operator
from device_profiles.profile import DeviceProfile, OperatorMeasurement
from device_profiles.protocol import Protocol, copies_for

#: At most so many operators, of at most so many kinds: a handful is enough to see what changed, and each gets many rounds.
MAX_OPERATORS, MAX_KINDS = 24, 8

#: Rounds that every chosen operator must have time for.
_ROUNDS = 20

#: Seconds to make one session, to time one block beyond the block itself, and to start and learn the device at its best.
_LOAD_S, _OVERHEAD_S, _START_S = 0.05, 0.004, 2.0


def carried_ms(profile: DeviceProfile) -> dict[str, float]:
    """Milliseconds that each measured operator carries over the networks of the profile, by key; its own time where there are none."""
    own = {m.key: m.latency_ms.value for m in profile.operators()}
    carried: dict[str, float] = {}
    for network in profile.networks():
        for operator, count in network.operators:
            if operator.key in own:
                carried[operator.key] = carried.get(operator.key, 0.0) + count * own[operator.key]
    return carried or own


def shares(profile: DeviceProfile) -> dict[str, float]:
    """Share of the carried time by operator key; sums to 1."""
    carried = carried_ms(profile)
    total = sum(carried.values())
    return {key: value / total for key, value in carried.items()}


def chosen_operators(profile: DeviceProfile, settings: Protocol, budget_s: float) -> list[Operator]:
    """The operators to time again: kind by kind in turn, in each the ones that carry the most time, as many as `budget_s` has room for.

    The same profile and budget always give the same operators.
    """
    carried = carried_ms(profile)
    kinds: dict[str, list[OperatorMeasurement]] = {}
    for measurement in sorted(profile.operators(), key=lambda m: (-carried.get(m.key, 0.0), m.key)):
        if carried.get(measurement.key) and measurement.key == measurement.operator.key:
            kinds.setdefault(measurement.operator.kind, []).append(measurement)
    ordered = sorted(kinds.values(), key=lambda found: (-sum(carried[m.key] for m in found), found[0].key))[:MAX_KINDS]
    left, chosen = budget_s - _START_S, list[Operator]()
    for rank in range(max(map(len, ordered), default=0)):
        for found in ordered:
            if rank < len(found) and len(chosen) < MAX_OPERATORS:
                cost = _seconds(found[rank], settings)
                if cost <= left:
                    chosen.append(found[rank].operator)
                    left -= cost
    return chosen


def _seconds(measurement: OperatorMeasurement, settings: Protocol) -> float:
    """What timing an operator again takes: its session, and its rounds."""
    call_ms = measurement.median_ms * copies_for(measurement.operator, settings)
    block_ms = max(settings.block_ms, settings.min_calls * call_ms) + settings.warmup_calls * call_ms
    return _LOAD_S + _ROUNDS * (block_ms / 1e3 + _OVERHEAD_S)
