"""Verification, round after round: measure the front, judge it, correct the predictor where it was wrong, find the front again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device_profiles.boards.ssh import check_host
from device_profiles.campaign import Progress
from device_profiles.drift import compare
from device_profiles.errors import DeviceError, InputError
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity
from hwnas.believed import CORRECTED, Believed
from hwnas.objectives import Floats
from hwnas.run import Run
from hwnas.search.lock import run_lock
from hwnas.spaces import from_spec
from hwnas.spaces.base import SearchSpace
from hwnas.verify import files
from hwnas.verify.correct import Correction, profile_of
from hwnas.verify.place import SETTINGS, Here, Place, There, canaries
from hwnas.verify.points import FORMER, FRONT, LATENCY, RANDOM, Architecture, Checked, measurements, some_of_front, some_others
from hwnas.verify.verdict import SCORES, busy, judge

if TYPE_CHECKING:
    from predictors import NetworkPredictor

#: Rounds of measuring and correcting at most.
ITERATIONS = 4
#: The predictor is corrected, even where the verdict is positive, when the front misses more than this share of the hypervolume.
REGRET = 0.01
#: The share of what is left of a budget that one round may spend, as long as another may follow.
_SHARE = 0.8
#: Seconds with which measuring is worth beginning.
_LEAST_S = 1.0


def verify(
    run: Run,
    device: NetworkPredictor,
    *,
    budget_s: float | None = None,
    settings: Protocol = SETTINGS,
    progress: Progress | None = None,
    host: str | None = None,
    ssh_config: str | os.PathLike[str] | None = None,
    profile: str | os.PathLike[str] | None = None,
    iterations: int = ITERATIONS,
    notice: Callable[[str], object] | None = None,
) -> dict[str, Any]:
    """Measures the front again, corrects the predictor where it was wrong, and writes `verify.json`; returns its content.

    When the predictions do not hold, the predictor is fitted again with what was measured, all evaluations are priced anew, the front is
    found again and its new points are measured, up to `iterations` times or until `budget_s` (time for measuring) is spent. No point is
    ever judged by a predictor that saw its measurement. What came of it lies in the run folder: corrected predictions in the database,
    the corrected predictor as `device.corrected.json`, all measurements as `verify.jsonl`; a verification that was interrupted goes on.

    `host` measures over ssh (`ssh_config` in place of ~/.ssh/config). `profile` is what the predictor was fitted on, looked for beside its
    file when not given. `notice` is told what a user should know, a sentence at a time.

    Raises InputError when the device is not that of the predictor, the run has no latency objective or an empty front, was made by
    another version, or is being worked on; DeviceError when nothing could be measured.
    """
    space = _space(run)
    known = profile_of(device, profile)
    if host is not None:
        check_host(host)
    with run_lock(run.path, advice="verify when it has ended"):
        files.begin(run.path)
        place: Place = Here(run.path, device, settings, progress)
        if host is not None:
            place = There(run.path, device, host, files.earlier(run.path), None if ssh_config is None else Path(ssh_config), progress)
        told = notice or (lambda sentence: None)
        if run.spec.get("stopped") is None:
            told(f"the search in {run.path} is not finished: its front may still change (go on with hwnas search ... --resume)")
        verification = _Verification(run, device, space, place, Correction(device, known), budget_s, told)
        verdict = verification.run_all(max(1, iterations))
        verification.store()
        files.write(run.path / files.VERDICT, verdict)
        run.write_front()
    return verdict


def _space(run: Run) -> SearchSpace:
    """The space of a run that can be verified."""
    names = run.names()
    if LATENCY not in names:
        raise InputError(f"this run has no latency_ms to verify; its objectives are {', '.join(names)}")
    try:
        return from_spec(run.spec["space"])
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        made = (run.spec.get("versions") or {}).get("hwnas", "an unknown version")
        raise InputError(f"{run.path} was made by hwnas {made}, and this version cannot rebuild its search space: search again") from error


class _Verification:
    """What is known in the course of one verification; nothing is stored before `store`."""

    def __init__(
        self,
        run: Run,
        device: NetworkPredictor,
        space: SearchSpace,
        place: Place,
        correction: Correction,
        budget_s: float | None,
        notice: Callable[[str], object],
    ) -> None:
        self.run, self.device, self.space, self.place, self.correction, self.notice = run, device, space, place, correction, notice
        self.believed, self.left_s = Believed.of(run), budget_s
        self.roles: dict[Architecture, str] = {}
        self.measured: DeviceProfile | None = None
        self.corrected: NetworkPredictor | None = None

    def run_all(self, iterations: int) -> dict[str, Any]:
        """Measures and judges, and corrects as long as that is called for; returns the content of `verify.json`."""
        others = some_others(self.believed, int(self.run.spec.get("seed") or 0))
        front = some_of_front(self.believed)
        self.roles = {**dict.fromkeys(front, FRONT), **dict.fromkeys(others, RANDOM)}
        records: list[dict[str, Any]] = []
        seconds = self._measure([*front, *others], last=iterations == 1)
        verdict = self._judge()
        records.append(_record(verdict, len(self.roles), len(self.believed.front()), seconds))
        searched, stopped = verdict, None
        while stopped is None:
            stopped = self._enough(verdict, len(records) == iterations)
            if stopped is None:
                verdict, record, stopped = self._again(verdict, len(records) + 1 == iterations)
                records += [] if record is None else [record]
        return {
            **verdict, "iterations": records, "stopped": stopped,
            "as_searched": {name: searched[name] for name in ("verdict", "reasons", *SCORES, "coverage", "front_regret")},
            "corrected": None if self.corrected is None else {"device": files.CORRECTED, "how": self.correction.how},
        }  # fmt: skip

    def _enough(self, verdict: dict[str, Any], last: bool) -> str | None:
        """Why there is nothing to correct, or None."""
        if verdict["verdict"] == "pass" and (verdict["front_regret"] or 0.0) <= REGRET:
            return "the predictions hold"
        if verdict["verdict"] == "fail" and busy(verdict["repeat_ceiling"]):
            return "the device is too busy to correct anything by it"
        if last:
            return "as many corrections as asked for"
        return None

    def _again(self, verdict: dict[str, Any], last: bool) -> tuple[dict[str, Any], dict[str, Any] | None, str | None]:
        """One correction, and the front that follows from it; returns the verdict, its record, and why to stop there or None."""
        kept = self.believed, self.corrected
        try:
            better = self._correct()
        except DeviceError as error:
            return verdict, None, f"the device failed while the predictor was corrected: {error}"
        if not self.believed.allowed.any():
            self.believed, self.corrected = kept
            return verdict, None, "no evaluated architecture meets the constraints by the corrected predictions: search again"
        known = self._known()
        new, seconds, stopped = [arch for arch in some_of_front(self.believed) if arch not in known], 0.0, None
        if not new:
            stopped = "the front holds no new point" if better else "fitted again, the predictor is no better on what it has not seen"
        elif self.left_s is not None and self.left_s < _LEAST_S:
            stopped = f"the budget is spent; {len(new)} points are new on the front and not measured"
        else:
            self.roles = {**dict.fromkeys(new, FRONT), **self.roles}
            try:
                seconds = self._measure(new, last)
            except DeviceError as error:
                stopped = f"the device failed: {error}"
        try:
            verdict = self._judge()
        except DeviceError as error:
            self.believed, self.corrected = kept
            return verdict, None, stopped or str(error)
        return verdict, _record(verdict, len(new) if seconds else 0, len(self.believed.front()), seconds), stopped

    def _correct(self) -> bool:
        """Takes in what was measured; the predictor only where that makes it better on what it has not seen, which is returned."""
        assert self.measured is not None
        now = {c.architecture: c.measurement.latency_ms for c in self._checked()}
        device, values = self.correction.reprice(self.space, self.believed.keys(), self.measured)
        column, rows = self.believed.names.index(LATENCY), [i for i, key in enumerate(self.believed.keys()) if key in now]
        truth = np.array([now[self.believed.keys()[i]].value for i in rows])
        before, after = (float(np.abs(np.log(p[rows, 0] / truth)).mean()) for p in (self.believed.estimates[:, column], values))
        self.believed = self.believed.learned(LATENCY, now)
        self.notice(f"the predictor is {before:.1%} off in the mean; fitted again, {after:.1%} on what it has not seen")
        if after < before:
            self.believed, self.corrected = self.believed.corrected(LATENCY, values), device
        return after < before

    def _measure(self, archs: list[Architecture], last: bool) -> float:
        """Measures architectures within the budget; returns the seconds that it took."""
        started = time.monotonic()
        try:
            self.place.measure(self.space, archs, None if self.left_s is None else self.left_s * (1.0 if last else _SHARE))
        finally:
            seconds = time.monotonic() - started
            self.left_s = None if self.left_s is None else max(0.0, self.left_s - seconds)
        self.measured = self.place.profile()
        return seconds

    def _known(self) -> set[Architecture]:
        assert self.measured is not None
        return set(measurements(self.space, self.measured, self.roles))

    def _checked(self) -> list[Checked]:
        """All that was measured, beside what is predicted now of each by a predictor that did not see it."""
        assert self.measured is not None
        front = {tuple(arch) for arch in self.believed.front().architectures.tolist()}
        index, column = {key: i for i, key in enumerate(self.believed.keys())}, self.believed.names.index(LATENCY)
        found = []
        for arch, measurement in measurements(self.space, self.measured, self.roles).items():
            estimates = self.believed.estimates[index[arch]]
            role = FRONT if arch in front else RANDOM if self.roles[arch] == RANDOM else FORMER
            found.append(Checked(arch, role, _predicted(estimates[column]), measurement, estimates[:, 0].copy()))
        return found

    def _judge(self) -> dict[str, Any]:
        """The verdict on the front as it is now. Raises DeviceError when no point of it was measured."""
        assert self.measured is not None
        checked = self._checked()
        if not any(c.role == FRONT for c in checked):
            errors = [line["error"] for line in self.measured.failures()] or ["the budget was too short"]
            raise DeviceError(f"no point of the front could be measured: {errors[0]}")
        return judge(self.run, checked, compare(self.measured.canaries(), canaries(self.device)))

    def store(self) -> None:
        """Writes what was learned about architectures into the run, and the corrected predictor beside it."""
        items = [(c.architecture, LATENCY, c.measurement.latency_ms) for c in self._checked()]
        if self.corrected is not None:
            self.corrected.save(self.run.path / files.CORRECTED)
            column = self.believed.estimates[:, self.believed.names.index(LATENCY)]
            priced = zip(self.believed.keys(), column, strict=True)
            items += [(key, CORRECTED + LATENCY, _predicted(row)) for key, row in priced]
        self.run.add_extras(items)


def _predicted(row: Floats) -> Quantity:
    value, low, high = row.tolist()
    return Quantity(value, low, high, "predicted")


def _record(verdict: dict[str, Any], measured: int, front: int, seconds: float) -> dict[str, Any]:
    """One round in a line of `iterations`."""
    scores = {name: verdict[name] for name in ("verdict", *SCORES, "coverage", "front_regret")}
    return {"measured": measured, "front": front, "seconds": round(seconds, 1), **scores}
