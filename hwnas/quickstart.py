"""The whole walk on this machine: profile, fit, train, search, verify, export, report.

Everything is real: the operators are timed here, the images are scikit-learn's handwritten digits, the networks are trained, and the
front is measured again before anyone is asked to believe it. Every step goes on where an earlier call stopped.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import hwnas
from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RuntimeProcess
from hwnas import data, profiling, spaces
from hwnas.finish import PICKS, score_front
from hwnas.objectives import as_objective
from hwnas.provenance import provenance
from hwnas.report import write_report
from hwnas.run import Run
from hwnas.search.progress import Progress
from hwnas.spaces.base import SearchSpace
from hwnas.training import as_share
from hwnas.verify import verify

Say = Callable[[str], None]
Bar = Callable[[str], AbstractContextManager[Callable[[float, str], None]]]

RESOLUTION = 32
EPOCHS = 14
PROFILE_BUDGET_S = 65.0
VERIFY_BUDGET_S = 35.0
EVALUATIONS = 150


def walk(out: Path, *, seed: int = 0, say: Say, bar: Bar) -> dict[str, Any]:
    """Runs or goes on with the whole walk in the folder `out`; returns a summary of what was found.

    `say` gets lines for people; `bar(title)` gives a context manager that yields `update(share, message)`.
    """
    started = time.monotonic()
    ledger = Ledger(out)
    images = data.load("digits", resolution=RESOLUTION)
    space = spaces.load("mobilenet-small", classes=images.classes, resolution=images.resolution, channels=images.channels)
    say(
        f"Which small image classifiers are worth deploying on this machine? {space.size:,} candidates, {images.classes} classes of digits."
    )
    device = _device(out, space, ledger, say, bar)
    scorer = _supernet(out, space, images, seed, ledger, say, bar)
    run = _search(out, scorer, device, seed, ledger, say, bar)
    with ledger.phase("verify"), bar("measuring the front again") as update:
        verdict = _verdict(run) or verify(run, device, budget_s=VERIFY_BUDGET_S, progress=update)
        score_front(run, scorer)  # a correction may have brought new points onto the front
    say(f"5. measured again: {verdict['within_10']:.0%} of the front is within 10 % of its prediction, verdict {verdict['verdict']}")
    with ledger.phase("export"):
        exported = _export(run, scorer)
    say(f"6. exported {len(exported)} models, largest output difference {max(e.max_difference for e in exported):.1e}")
    _record(run, ledger)
    run.write_front()
    page = write_report(run.path)
    say(f"The report: {page.resolve()}")
    return _summary(run, verdict, page, time.monotonic() - started)


def _device(out: Path, space: SearchSpace, ledger: Ledger, say: Say, bar: Bar) -> Any:
    import predictors
    from predictors.evaluation import error_table, format_table

    profile_path, device_path = out / "profile.jsonl", out / "device.json"
    if not device_path.exists():
        with ledger.phase("profile"), RuntimeProcess("onnxruntime", 1) as runtime:
            with bar("asking the runtime what it executes") as update:
                plan = profiling.plan_space(space, runtime, progress=update)
            with bar("measuring operators and networks") as update:
                profiling.profile(plan, profile_path, runtime, budget_s=PROFILE_BUDGET_S, progress=update)
        measured = DeviceProfile.read(profile_path)
        say(f"1. {measured!r}")
        with ledger.phase("fit"):
            device = predictors.NetworkPredictor().fit(measured)
            device.save(device_path)
            say("2. predictors, judged on what they have not seen:\n" + format_table(error_table(measured, device)))
    return predictors.load(device_path)


def _supernet(out: Path, space: SearchSpace, images: data.Dataset, seed: int, ledger: Ledger, say: Say, bar: Bar) -> Any:
    with ledger.phase("train"), bar("training the super-network") as update:
        supernet = hwnas.train(space, images, epochs=EPOCHS, seed=seed, out=out / "supernet", resume=True, progress=as_share(update))
    scorer = hwnas.accuracy(supernet, images)
    ends = [float(scorer(arch)[0][0]) for arch in (space.smallest(), space.largest())]
    say(f"3. one super-network for all of them: validation accuracy {ends[0]:.1%} (smallest) to {ends[1]:.1%} (largest)")
    return scorer


def _search(out: Path, scorer: Any, device: Any, seed: int, ledger: Ledger, say: Say, bar: Bar) -> Run:
    space = scorer.supernet.space
    spec = {**provenance([scorer, device.latency_ms]), "command": sys.argv}
    with ledger.phase("price the space"), bar("tabling the prices of the space"):
        objectives = [as_objective(scorer, space), as_objective(device.latency_ms, space)]

    def search(algorithm: str, title: str, folder: Path) -> Run:
        """One search with its phase in the ledger."""
        with ledger.phase(title), bar(f"searching ({title})") as update:

            def progress(state: Progress) -> None:
                """Moves the bar."""
                update(state.share, f"{state.done} evaluated, {state.front_size} on the front")

            return hwnas.search(
                space, objectives, (), algorithm, EVALUATIONS, seed, out=folder, resume=True, extra_spec=spec, progress=progress
            )

    run = search("nsga2", "search", out / "run")
    search("random", "random baseline", out / "run" / "baseline")
    with ledger.phase("test accuracy"):
        score_front(run, scorer)
    front = run.front()
    cheapest, dearest = (front[i].objectives["latency_ms"].value for i in (0, len(front) - 1))
    say(f"4. a front of {len(front)} networks from {cheapest:.4f} to {dearest:.4f} ms, found with {EVALUATIONS} evaluations")
    return run


def _verdict(run: Run) -> dict[str, Any] | None:
    """The verdict of an earlier call, when it is about the front as it is now."""
    path = run.path / "verify.json"
    if not path.exists():
        return None
    verdict: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    points = {tuple(p["architecture"]) for p in verdict["points"] if p["role"] == "front"}
    return verdict if points == {tuple(a) for a in run.front().architectures.tolist()} else None


def _export(run: Run, scorer: Any) -> list[Any]:
    from hwnas.export import export_front

    return [each.model for each in export_front(run, PICKS, accuracy=scorer)]


def _record(run: Run, ledger: Ledger) -> None:
    known = {name for name, _, _ in run.phases()}
    for name, seconds in ledger.seconds.items():
        if name not in known:
            run.add_phase(name, seconds)


def _summary(run: Run, verdict: dict[str, Any], page: Path, seconds: float) -> dict[str, Any]:
    front = run.front()
    latencies = [point.objectives["latency_ms"].value for point in front]
    return {
        "report": str(page), "run": str(run.path), "seconds": round(seconds, 1), "front": front.to_json(),
        "span": max(latencies) / min(latencies), **{name: verdict[name] for name in ("verdict", "within_10", "spearman")},
    }  # fmt: skip


class Ledger:
    """Seconds spent per phase, kept in `ledger.json` so that a walk in several sittings still says what it cost."""

    def __init__(self, out: Path) -> None:
        self._path = out / "ledger.json"
        try:
            out.mkdir(parents=True, exist_ok=True)
            self.seconds: dict[str, float] = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        except (OSError, ValueError) as error:
            raise InputError(f"cannot use the folder {out}: {error}") from error

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time of the block to a phase, also when it is interrupted."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps(self.seconds), encoding="utf-8")
            os.replace(partial, self._path)
