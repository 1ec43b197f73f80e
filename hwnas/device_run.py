"""Of a run for several devices the run for one of them, which can be verified, exported and reported as any other.

It lies in `RUN/devices/NAME`: the same evaluations, with the objectives of that device under the names that they have without it and
without those of the others. What is learned on the device (measurements, corrections) stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from device_profiles.errors import InputError, unknown
from hwnas.devices import WORST, by_device
from hwnas.objectives import Constraint, Objective
from hwnas.run import Run
from hwnas.spaces.base import Archs
from hwnas.storage import Evaluation, Writer

#: The folder in a run that holds those of its devices.
DEVICES = "devices"


def device_run(run: Run, device: str) -> Run:
    """The run for one device, made or brought up to date. Raises InputError for a device that the run was not searched for."""
    records = run.objectives
    known = [name for name in by_device(records) if name != WORST]
    if not known:
        raise InputError(f"{run.path} was searched for one device: take it as it is")
    if device not in known:
        raise unknown("device", device, known)
    columns = _columns(records, device)
    folder = run.path / DEVICES / device
    if not Run.exists(folder):
        Run.create(folder, _spec(run, device, columns), [_objective(records[i], name) for name, i in columns.items()])
    found = Run.open(folder)
    _update(run, found, list(columns.values()))
    return found


def _columns(records: Sequence[Mapping[str, Any]], device: str) -> dict[str, int]:
    """What the objectives are called without the device, and where they stand in the run."""
    own = {str(r["name"]).removeprefix(f"{device}_"): i for i, r in enumerate(records) if r.get("device") == device}
    shared = {str(r["name"]): i for i, r in enumerate(records) if not r.get("device") and str(r["name"]) not in own}
    return dict(sorted((shared | own).items(), key=lambda item: item[1]))


def _spec(run: Run, device: str, columns: Mapping[str, int]) -> dict[str, Any]:
    """What the run of the device records: that of all of them, as far as it is about this one."""
    spec, names, reference = run.spec, run.names(), run.hypervolume_reference
    called = {names[i]: name for name, i in columns.items()}
    bounds = [Constraint.parse(text) for text in spec.get("constraints") or ()]
    own = {key: value for key, value in spec.items() if key not in ("objectives", "devices", "device")}
    record = (spec.get("devices") or {}).get(device)
    return {
        **own, "device": {"name": device} if record is None else _seen_from_below(record),
        "supernet": _seen_from_below(spec.get("supernet")),
        "constraints": [str(Constraint(called[b.name], b.relation, b.bound)) for b in bounds if b.name in called],
        "hypervolume_reference": {name: reference[old] for old, name in called.items()},
    }  # fmt: skip


def _seen_from_below(record: Any) -> Any:
    """A record whose path, where it is relative, began at the folder of the run, and now at that of the device."""
    if not isinstance(record, Mapping) or not record.get("path") or Path(record["path"]).is_absolute():
        return record
    return {**record, "path": str(Path("..", "..", record["path"]))}


def _objective(record: Mapping[str, Any], name: str) -> Objective:
    """An objective by its record, under another name; it can be read about, not evaluated."""
    low, high = record.get("bounds") or (None, None)
    ends = (float("-inf") if low is None else float(low), float("inf") if high is None else float(high))
    bounds = None if record.get("bounds") is None else ends
    origin = str(record.get("origin", "predicted"))
    return Objective(name, str(record["unit"]), record["direction"], bool(record.get("expensive")), _never, bounds, origin)


def _never(archs: Archs) -> NoReturn:
    raise AssertionError("the run of one of several devices is read, not searched")


def _update(run: Run, found: Run, columns: Sequence[int]) -> None:
    """Adds the evaluations and what was learned since."""
    done = len(found.rows())
    rows = [
        Evaluation(r.id, r.architecture, tuple(r.estimates[i] for i in columns), r.status, r.error, r.started, r.seconds)
        for r in run.rows()[done:]
    ]
    spec = run.spec
    with Writer(found.database) as writer:
        if rows:
            writer.add(rows)
        writer.set_spec(**{key: spec.get(key) for key in ("evaluations", "budget_s", "spent_s", "stopped")})
    known = found.extras()
    items = [(arch, name, q) for arch, own in run.extras().items() for name, q in own.items() if name not in known.get(arch, {})]
    found.add_extras(items)
