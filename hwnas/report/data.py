"""Everything a report shows, collected from a run folder. `hwnas.run.Run` is the only reader of the database."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity
from hwnas.devices import WORST, by_device
from hwnas.front import Front
from hwnas.report.architectures import BROKEN, Describer
from hwnas.report.audited import audited
from hwnas.report.files import exported, links
from hwnas.report.formats import plural
from hwnas.report.model import Course, Link, Missing, Objective, Phase, Point, ReportData, Verification
from hwnas.report.naming import LATENCY, axes, objective
from hwnas.report.provenance import command_line, compact, device_name, facts, provenance
from hwnas.report.verification import read_verification
from hwnas.run import Run
from hwnas.search.budget import unfinished
from hwnas.search.tables import TableSpace
from hwnas.spaces import MobileNetSpace

#: More evaluated architectures than this are thinned out behind the front: the page has to stay small.
MAX_EVALUATED = 3000
#: Where `hwnas.references` keeps its networks inside a run folder.
REFERENCES = "references"
#: Different errors that are listed.
MAX_ERRORS = 10


def collect(run: Run, page: Path, wanted: str | None = None) -> ReportData:
    """What a page at `page` shows about a run. Pieces that are missing or damaged are named in `missing`, and never stop the rest.

    `wanted` is the cost of the figure; one of several devices leaves the other devices out, and what is on the front for their sake only.
    Raises InputError for a cost that the run does not have.
    """
    spec, rows = run.spec, run.rows()
    objectives = [objective(record) for record in run.objectives]
    gain, cost = axes(objectives, wanted)
    if wanted is not None and cost is not None and cost.device:
        objectives = [o for o in objectives if o.device in ("", cost.device)]
    names = [o.name for o in objectives]
    describer, command = Describer(spec.get("space")), shlex.quote(str(run.path))
    missing: dict[str, Missing] = {}
    recorded = isinstance(spec.get("space"), Mapping) and spec["space"].get("kind") == TableSpace.name
    verification = None if recorded else _verification(run, command, missing)
    files = sorted(run.path.glob("models/*.onnx"))
    models, found = links(files, page), _front(run, missing)
    partial = len(names) < len(found.names)
    found = replace(found, chances=None) if partial else found  # chances are about all objectives
    positions = found.positions(names).tolist()
    front = [p for p in _points(found, describer, verification, cost, exported(files, page)) if p.number in positions]
    bend = positions[found.among(names).knee_index()] if front else 0
    knee = next((i for i, point in enumerate(front) if point.number == bend), 0)
    _note_stale(verification, front, command, missing)
    counts = run.counts()
    _note_progress(spec, counts, len(front), missing)
    baseline, baseline_course = _baseline(run, describer, cost, names, command, missing)
    references = hand_made(run, describer, cost, command, missing)
    phases = [Phase(name, seconds, note) for name, seconds, note in run.phases()]
    if not phases:
        missing["phases"] = Missing("This run has no ledger of time: nothing recorded how long its phases took.")
    audit = audited(run, missing)
    if not models and front and not recorded:
        missing["models"] = Missing("No model has been exported.", f"hwnas export {command} --pick knee")
    started = sorted(row.started for row in rows if row.started)
    return ReportData(
        name=run.path.resolve().name, command=command, facts=facts(spec, describer.size), device=_device(spec, cost if partial else None),
        when=_day(started),
        objectives=objectives, gain=gain, cost=cost, front=front, knee=knee,
        evaluated=_evaluated(run, describer, {p.architecture for p in front}, [o for o in (gain, cost) if o]), counts=counts,
        errors=Counter(row.error or "no message" for row in rows if row.status == "failed").most_common(MAX_ERRORS),
        audit=audit,
        baseline=baseline, references=references, search_course=_course(run), baseline_course=baseline_course,
        reference=compact(spec.get("hypervolume_reference")), verification=verification, phases=phases, provenance=provenance(spec),
        files=links([run.path / name for name in ("front.csv", "front.json", "verify.json", "run.sqlite")], page),
        models=models, missing=missing, partial=partial, recorded=recorded,
    )  # fmt: skip


def _device(spec: Mapping[str, Any], cost: Objective | None) -> str:
    """What a report is about: the device of the run, all of them, or the one whose `cost` was asked for."""
    if cost is None:
        return device_name(spec)
    return f"the worst of {device_name(spec)}" if cost.device == WORST else cost.device


def _front(run: Run, missing: dict[str, Missing]) -> Front:
    """The front, with P(on the front) unless what that needs is damaged."""
    try:
        return run.front(chances=True)
    except InputError as error:
        front = run.front()
        missing["chances"] = Missing(f"How likely points are to be on the front is not known: {error}.")
        return front


def _verification(run: Run, command: str, missing: dict[str, Missing]) -> Verification | None:
    devices = list(by_device(run.objectives))
    if devices:
        what = "Fronts of several devices are measured again one by one, each in a run of its own."
        missing["verification"] = Missing(what, f"hwnas verify {command} --device {devices[0]}" if devices[0] != WORST else "")
        return None
    try:
        verification = read_verification(run.path / "verify.json")
    except InputError as error:
        missing["verification"] = Missing(f"The verification cannot be read: {error}.", f"hwnas verify {command}")
        return None
    if verification is None:
        missing["verification"] = Missing("The front has not been measured on the device.", f"hwnas verify {command}")
    return verification


def _note_stale(verification: Verification | None, front: Sequence[Point], command: str, missing: dict[str, Missing]) -> None:
    """A search that went on after its verification has another front."""
    verified = {pair.architecture for pair in verification.pairs if pair.role == "front"} if verification else set()
    gone = len(verified - {point.architecture for point in front})
    if gone:
        what = f"The front has changed since it was verified: {gone:,} of {plural(len(verified), 'verified point')} no longer on it."
        missing["verification"] = Missing(what, f"hwnas verify {command}")


def _points(
    front: Front, describer: Describer, verification: Verification | None, cost: Objective | None, models: Mapping[tuple[int, ...], Link]
) -> list[Point]:
    """The points of a front with everything known about them, from cheap to costly."""
    timed = verification if cost and cost.name == LATENCY else None
    measured = {pair.architecture: pair.measured for pair in timed.pairs} if timed else {}
    points = []
    for i, arch in enumerate(tuple(row) for row in front.architectures.tolist()):
        extras = dict(front.extras[i]) if front.extras else {}
        late = extras.get(cost.name) if cost else None
        triples = zip(front.names, front.values[i], front.lows[i], front.highs[i], front.origins, strict=True)
        values = {name: q for name, value, low, high, origin in triples if (q := _quantity((value, low, high), origin))}
        if len(values) < len(front.names):
            continue
        known = measured.get(arch) or (late if late and late.origin == "measured" else None)
        chance = None if front.chances is None else float(front.chances[i])
        points.append(Point(arch, values, extras, known, describer.describe(arch), models.get(arch), i, chance))
    return sorted(points, key=lambda point: point.values[cost.name].value) if cost else points


def _quantity(estimate: tuple[float, float, float], origin: str) -> Quantity | None:
    """A quantity, or None when the number is not finite; a broken interval counts as none."""
    value, low, high = map(float, estimate)
    if not math.isfinite(value):
        return None
    if not (math.isfinite(low) and math.isfinite(high) and low <= value <= high):
        low = high = value
    return Quantity(value, low, high, origin)


def _evaluated(run: Run, describer: Describer, front: set[tuple[int, ...]], shown: Sequence[Objective]) -> list[Point]:
    """The evaluated architectures off the front whose numbers for both axes are known, thinned out evenly."""
    names, points = run.names(), []
    columns = [names.index(objective.name) for objective in shown]
    rows = [row for row in run.rows() if row.architecture not in front and all(row.estimates[c] for c in columns)]
    step = math.ceil(len(rows) / MAX_EVALUATED) or 1
    for row in rows[::step]:
        known = [(o.name, row.estimates[c]) for o, c in zip(shown, columns, strict=True)]
        values = {name: q for name, estimate in known if estimate and (q := _quantity(estimate, "predicted"))}
        if len(values) == len(shown):
            points.append(Point(row.architecture, values, description=describer.describe(row.architecture, network=False)))
    return points


def _baseline(
    run: Run, describer: Describer, cost: Objective | None, names: Sequence[str], command: str, missing: dict[str, Missing]
) -> tuple[list[Point], Course | None]:  # fmt: skip
    """The front and the course of the random search in `baseline/`, when it can be compared."""
    spec = run.spec
    again = f"hwnas search … --algorithm random --evaluations {spec.get('evaluations', 'N')} --out {command}/baseline"
    path = run.path / "baseline"
    try:
        if not Run.exists(path):
            missing["baseline"] = Missing("There is no random search to compare with.", again)
            return [], None
        other = Run.open(path)
        if other.names() != run.names() or other.spec.get("hypervolume_reference") != spec.get("hypervolume_reference"):
            missing["baseline"] = Missing(
                "The random search in baseline/ has other objectives or another reference: it is not shown.", again
            )
            return [], None
        return _points(other.front().among(names), describer, None, cost, {}), _course(other)
    except BROKEN as error:
        missing["baseline"] = Missing(f"The random search in baseline/ cannot be read: {error}.", again)
        return [], None


def hand_made(run: Run, describer: Describer, cost: Objective | None, command: str, missing: dict[str, Missing]) -> list[Point]:
    """The front of the networks that need no search, see `hwnas.references`; only MobileNet-like spaces have such networks."""
    if not isinstance(describer.space, MobileNetSpace) or by_device(run.objectives):
        return []
    path, again = run.path / REFERENCES, f"hwnas report {command} --references"
    try:
        if Run.exists(path) and (other := Run.open(path)).names() == run.names():
            return _points(other.front(), describer, None, cost, {})
        missing["references"] = Missing("Networks scaled by hand, which need no search, have not been evaluated.", again)
    except BROKEN as error:
        missing["references"] = Missing(f"The hand-made networks in {REFERENCES}/ cannot be read: {error}.", again)
    return []


def _course(run: Run) -> Course | None:
    """The steps of the hypervolume, first and last included; None when the spec holds no usable reference or nothing was evaluated."""
    try:
        evaluations, volume = run.hypervolume_course()
    except BROKEN:
        return None
    last = len(volume) - 1
    kept = [i for i in range(len(volume)) if i in (0, last) or volume[i] != volume[i - 1]]
    return Course([int(evaluations[i]) for i in kept], [float(volume[i]) for i in kept]) if kept else None


def _note_progress(spec: Mapping[str, Any], counts: Mapping[str, int], front: int, missing: dict[str, Missing]) -> None:
    done = sum(counts.values())
    so_far = unfinished(spec, done)
    if so_far:
        command = command_line(spec.get("command")) or "hwnas search …"
        # Only `search` needs to be told; the quick start goes on by itself.
        command = f"{command} --resume" if "search" in command.split() and "--resume" not in command.split() else command
        missing["evaluations"] = Missing(f"This search is not finished: {so_far} so far.", command)
    if not front:
        why = f"{counts.get('infeasible', 0):,} violate a constraint, {counts.get('failed', 0):,} failed"
        nothing = (
            f"The front is empty: of {plural(done, 'evaluated architecture')}, {why}."
            if done
            else "The front is empty: nothing has been evaluated yet."
        )
        missing["front"] = Missing(nothing)


def _day(started: Iterable[str]) -> str:
    """The day and the minute of the first evaluation."""
    first = next(iter(started), "")
    return first[:16].replace("T", " ") + " UTC" if len(first) >= 16 else first
