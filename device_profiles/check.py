"""Does a profile still hold here? Its canaries and some of its operators are timed again, by the protocol that measured them.

How much slower the canaries run is what the device as a whole explains: its clock, its neighbours. What is left after that is the kernels:
another version of the runtime, another build of it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device_profiles.campaign import Campaign, Progress
from device_profiles.check_plan import chosen_operators, shares
from device_profiles.drift import compare
from device_profiles.errors import DeviceError, InputError
from device_profiles.fingerprint import device_fingerprint
from device_profiles.plan import Plan
from device_profiles.profile import DeviceProfile, OperatorMeasurement
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity
from device_profiles.ratios import KindRatio, half_width, kind_ratios, overall, without
from device_profiles.runtimes.process import RuntimeProcess

#: A profile holds when the time of its operators is within this share of what it was ...
HOLDS = 0.03

#: ... and no kind of operator is off by more than this beyond its interval.
KIND_HOLDS = 0.10

#: Rounds that an operator gets at most; on a calm device it needs far fewer.
_MAX_ROUNDS = 240

#: What of the budget goes to measuring; the rest is for starting the runtime and for ending the last round.
_MEASURING = 0.8

#: How the warnings begin that make a measurement a bad witness.
_NOISY_NOTES = ("few rounds", "noisy")

#: A protocol in a header that is further from the usual one than this factor was not written by hwnas.
_STRANGE = 100


@dataclass(frozen=True)
class Check:
    """What a check found. `verdict` is `holds`, `changed` or `undecided`; ratios are time now over time then, with 90 % intervals.

    `ratio` is over all operators by the time they carry, `canaries` what the device as a whole explains of it (None when the profile has
    no canaries), `left` the rest. `differences` are what is not the same here, `reasons` why the verdict is what it is, a sentence each.
    """

    device: str
    verdict: str
    ratio: Quantity
    canaries: Quantity | None
    left: Quantity
    kinds: tuple[KindRatio, ...]
    differences: tuple[str, ...]
    reasons: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "device": self.device, "verdict": self.verdict, "ratio": self.ratio.to_json(),
            "canaries": None if self.canaries is None else self.canaries.to_json(), "left": self.left.to_json(),
            "kinds": [kind.to_json() for kind in self.kinds],
            "differences": list(self.differences), "reasons": list(self.reasons), "seconds": self.seconds,
        }  # fmt: skip

    @property
    def to_measure_again(self) -> list[str]:
        """The kinds whose kernels changed: off by more than `HOLDS` beyond their interval after what the canaries explain."""
        return [kind.kind for kind in self.kinds if _beyond(kind.left, HOLDS)]


def check(path: str | os.PathLike[str], runtime: RuntimeProcess, budget_s: float = 60.0, *, progress: Progress | None = None) -> Check:
    """Times the canaries and some operators of a profile again, within `budget_s` seconds, and judges.

    Raises InputError when the profile is unreadable, has no operators, or is of another processor, runtime or number of threads: then its
    numbers say nothing about this device. Raises DeviceError when nothing could be measured.
    """
    started, source = time.monotonic(), Path(path)
    profile = DeviceProfile.read(source)
    profile.refuse_functional()
    differences = _differences(source, profile.header, runtime.fingerprint())
    settings = _settings(source, profile.header["protocol"])
    plan = Plan(tuple(chosen_operators(profile, settings, _MEASURING * budget_s)), ())
    if not plan.operators:
        way = "a longer budget is needed" if profile.operators() else "a profile that `hwnas profile` made is wanted"
        raise InputError(f"{source}: it holds no operator that could be timed again within {budget_s:g} s; {way}")
    with tempfile.TemporaryDirectory(prefix="hwnas-check-") as folder:
        again = Path(folder) / "again.jsonl"
        left_s = max(_MEASURING * budget_s - (time.monotonic() - started), 1.0)
        Campaign(plan, again, runtime, settings=settings, budget_s=left_s, progress=progress).run()
        now = DeviceProfile.read(again)
    return _judged(profile, now, differences, time.monotonic() - started)


def _differences(path: Path, header: Mapping[str, Any], runtime: Mapping[str, Any]) -> tuple[str, ...]:
    """What is not the same here as in the profile, a sentence each. Raises InputError when it is of another device altogether."""
    here, then, was = device_fingerprint(), header["device"], header["runtime"]
    for name, word in (("cpu", "processor"), ("architecture", "architecture"), ("isa", "instruction sets")):
        if here.get(name) != then.get(name):
            raise InputError(f"{path} is of another device: its {word} is {_short(then.get(name))}, here it is {_short(here.get(name))}")
    for name in ("name", "threads", "provider"):
        if runtime.get(name) != was.get(name):
            raise InputError(
                f"{path}: its runtime has {name} {_short(was.get(name))}, not {_short(runtime.get(name))}; check it with its own"
            )
    found = []
    if runtime.get("version") != was.get("version"):
        found.append(f"{runtime['name']} is {_short(runtime.get('version'))} here and was {_short(was.get('version'))} in the profile")
    for name, word in (("cores", "the number of cores"), ("governor", "the frequency governor")):
        if here.get(name) != then.get(name):
            found.append(f"{word} is {_short(here.get(name))} here and was {_short(then.get(name))} in the profile")
    return tuple(found)


def _short(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(text[:80].split()) or "unknown"


def _settings(path: Path, then: Mapping[str, Any]) -> Protocol:
    """The protocol of the profile in everything that decides what one timing is; rounds as a check can afford them."""
    usual, same = Protocol(), {}
    for name in ("block_ms", "window_us", "warmup_calls", "min_calls", "max_calls", "call_us", "max_copies"):
        default = getattr(usual, name)
        value = then.get(name, default)
        if type(value) not in (int, float) or not default / _STRANGE <= value <= default * _STRANGE:
            raise InputError(f"{path}: its protocol has {name} {_short(value)}, which is not a number near {default}")
        same[name] = type(default)(value)
    return replace(usual, **same, max_rounds=_MAX_ROUNDS)


def _judged(profile: DeviceProfile, now: DeviceProfile, differences: tuple[str, ...], seconds: float) -> Check:
    before = {m.key: m for m in profile.operators()}
    again = {m.key: m for m in now.operators()}
    if not again:
        errors = [str(line.get("error")) for line in now.failures()] or ["the budget was too short"]
        raise DeviceError(f"no operator of the profile could be measured again: {errors[0][:200]}")
    canaries = compare(now.canaries(), profile.canaries())
    weight = shares(profile)
    kinds = kind_ratios([(m.operator, m.latency_ms, before[m.key].latency_ms) for m in again.values()], weight, canaries)
    ratio = overall(kinds)
    found = Check(profile.device_name, "", ratio, canaries, without(ratio, canaries), kinds, differences, (), seconds)
    noisy_then, noisy_now = (_noisy([side[key] for key in again], weight) for side in (before, again))
    verdict, reasons = _verdict(found, [str(line["key"]) for line in now.failures()], noisy_then, noisy_now)
    return replace(found, verdict=verdict, reasons=tuple(reasons))


def _noisy(measured: Sequence[OperatorMeasurement], weight: Mapping[str, float]) -> float:
    """The share of the compared time whose measurement warns of few rounds or noise; a drift was corrected and is no such thing."""
    noted = [m for m in measured if any(note.startswith(_NOISY_NOTES) for note in m.warnings)]
    return sum(weight[m.key] for m in noted) / sum(weight[m.key] for m in measured)


def _verdict(found: Check, failed: list[str], noisy_then: float, noisy_now: float) -> tuple[str, list[str]]:
    """The verdict and its reasons, a sentence each; what a change seems to be is not judged when most of it was measured badly."""
    ratio, half = found.ratio, half_width(found.ratio)
    off = [kind for kind in found.kinds if _beyond(kind.ratio, KIND_HOLDS)]
    reasons = [f"{kind.kind} takes {percent(kind.ratio)} of what it took" for kind in off]
    if _beyond(ratio, HOLDS) or (half <= HOLDS and abs(ratio.value - 1) > HOLDS):
        reasons.insert(0, f"the operators take {percent(ratio)} of what they took, by the time they carry")
    gone = [f"{key[:80]} cannot be run any more" for key in failed]
    in_profile = noisy_then >= max(noisy_now, 0.5)
    if gone or (reasons and max(noisy_then, noisy_now) < 0.5):
        return "changed", reasons + gone
    if reasons or half > HOLDS:
        way = "measure it again on a calm device, for longer" if in_profile else "stop what else runs, or give the check longer"
        where = (
            f"{noisy_then:.0%} of the compared time is noisy or has few rounds in the profile" if in_profile else "the device is not calm"
        )
        return "undecided", [f"too noisy to judge: the ratio is uncertain by {half:.1%} or more, and {where}; {way}"]
    return "holds", []


def percent(ratio: Quantity) -> str:
    """A ratio as a percentage with its interval."""
    return f"{ratio.value:.1%} [{ratio.low:.1%}, {ratio.high:.1%}]"


def _beyond(ratio: Quantity, share: float) -> bool:
    """Whether a ratio is off by more than `share` whatever its interval leaves open."""
    return ratio.low > 1 + share or ratio.high < 1 - share
