"""A run is a folder, and `run.sqlite` in it is the only truth: the spec, every evaluation, and what was learned later."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError, InputError
from device_profiles.quantity import Quantity
from hwnas.devices import by_device
from hwnas.front import Archive, Front, hypervolume
from hwnas.objectives import Floats, Objective, check_name, minimised
from hwnas.storage import SCHEMA, Evaluation, Writer, dumps, from_text, holds_run, read_rows, reading, to_text

if TYPE_CHECKING:
    from hwnas.believed import Believed
    from hwnas.export import ExportReport
    from hwnas.ranking_error import RankingError
    from predictors import NetworkPredictor

Architecture = Sequence[int] | npt.NDArray[np.int64]

STATUSES = ("ok", "infeasible", "failed")


class Run:
    """A run folder. Holds no connection: every method sees what is stored at that moment, also while a search writes.

    `path` is the folder; `Run.create` and `Run.open` make one. Everything here but `create`, `add_*` and `write_front` only reads.
    Reading raises InputError when the database is damaged, writing raises DeviceError when the disk refuses.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def database(self) -> Path:
        """The sqlite file."""
        return self.path / "run.sqlite"

    @classmethod
    def create(cls, path: str | Path, spec: Mapping[str, Any], objectives: Sequence[Objective]) -> Run:
        """A new run: tables and spec, the objectives' records included, whole or not at all.

        Raises InputError when there is a run already, or another kind of file in its place, or a folder cannot be made.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the run folder {run.path}: {error.strerror}") from error
        if cls.exists(path):
            raise InputError(f"{run.path} holds a run already: resume it, or choose another folder")
        with Writer(run.database, create=True) as writer:
            writer.create([o.name for o in objectives], {**spec, "objectives": [o.spec() for o in objectives]})
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """The run in a folder (its `run.sqlite` may be named too). Raises InputError when there is none that this version can read."""
        folder = Path(path)
        run = cls(folder.parent if folder.name == "run.sqlite" and not folder.is_dir() else folder)
        if not cls.exists(run.path):
            raise InputError(f"{run.path} holds no run: there is no run.sqlite, or nothing in it")
        run.names()
        return run

    @classmethod
    def exists(cls, path: str | Path) -> bool:
        """Whether a folder holds a run. Raises InputError when its `run.sqlite` is something else, or was written by a newer version."""
        return holds_run(cls(path).database)

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked for and with which versions; docs/architecture.md names the keys."""
        with reading(self.database) as db:
            rows = db.execute("SELECT key, value FROM spec").fetchall()
        try:
            return {str(key): json.loads(value) for key, value in rows}
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.database} is damaged: its spec is not JSON ({error})") from error

    @property
    def objectives(self) -> list[dict[str, Any]]:
        """The records of the objectives, in order: name, unit, direction, expensive, bounds, origin."""
        records = self.spec.get("objectives")
        if not isinstance(records, list) or not all(isinstance(r, dict) and {"name", "unit", "direction"} <= r.keys() for r in records):
            raise InputError(f"{self.database} is damaged: its spec names no objectives")
        return records

    @property
    def hypervolume_reference(self) -> dict[str, float]:
        """The reference point by objective, in natural direction, as it was fixed before the search."""
        point = self.spec.get("hypervolume_reference")
        if not isinstance(point, dict) or not all(isinstance(point.get(name), (int, float)) for name in self.names()):
            raise InputError(f"{self.database} is damaged: its spec has no hypervolume_reference for every objective")
        return {name: float(point[name]) for name in self.names()}

    def names(self) -> list[str]:
        """The names of the objectives, in order."""
        return [check_name(record["name"]) for record in self.objectives]

    def rows(self) -> list[Evaluation]:
        """Every evaluation, in order of id."""
        return read_rows(self.database, self.names())

    def evaluations(self) -> npt.NDArray[Any]:
        """Every evaluation as a structured array of shape `(n,)`.

        Fields: `id`, `architecture` (`int64`, `(n_choices,)`), `<objective>`, `<objective>_low`, `<objective>_high` (`float64`, NaN where
        not known), `status`, `error` (text or None), `started` (UTC) and `seconds`.
        """
        rows = self.rows()
        fields: list[Any] = [("id", np.int64), ("architecture", np.int64, (len(rows[0].architecture) if rows else 0,))]
        fields += [(name + end, np.float64) for name in self.names() for end in ("", "_low", "_high")]
        fields += [("status", "U10"), ("error", object), ("started", "U40"), ("seconds", np.float64)]
        table = [(r.id, r.architecture, *r.numbers().ravel().tolist(), r.status, r.error, r.started, r.seconds) for r in rows]
        return np.array(table, dtype=fields)

    def counts(self) -> dict[str, int]:
        """How many evaluations have each status."""
        with reading(self.database) as db:
            found = dict(db.execute("SELECT status, count(*) FROM evaluations GROUP BY status").fetchall())
        return {status: int(found.get(status, 0)) for status in STATUSES}

    def extras(self) -> dict[tuple[int, ...], dict[str, Quantity]]:
        """What was learned later, by architecture and name."""
        with reading(self.database) as db:
            found = db.execute("SELECT architecture, name, value, low, high, origin FROM extras ORDER BY architecture, name").fetchall()
        result: dict[tuple[int, ...], dict[str, Quantity]] = {}
        try:
            for text, name, value, low, high, origin in found:
                result.setdefault(from_text(text), {})[str(name)] = Quantity(value, low, high, origin)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.database} is damaged: {error}") from error
        return result

    def front(self, *, chances: bool = False) -> Front:
        """The non-dominated architectures among those with status ok, with intervals and extras; with `chances` also P(on the front).

        Where `hwnas verify` corrected a predictor, its predictions count, and what was measured to violate a constraint is left out.
        """
        from hwnas.believed import Believed

        believed = Believed.of(self)
        front = believed.front()
        return front.with_chances(self._chances(believed)) if chances else front

    def fronts(self) -> dict[str, Front]:
        """Of a run for several devices the front of each, by what it is called, and as `worst` the robust front; all from `front()`.

        A front is about the objectives of its device and those of none; empty for a run for one device. See `hwnas.devices`.
        """
        front = self.front()
        return {device: front.among(names) for device, names in by_device(self.objectives).items()}

    def of_device(self, name: str) -> Run:
        """Of a run for several devices the run for one of them, in `devices/NAME`; see `hwnas.device_run`."""
        from hwnas.device_run import device_run

        return device_run(self, name)

    def chances(self) -> dict[tuple[int, ...], float]:
        """P(on the front) of every architecture with status ok; see `hwnas.chances`."""
        from hwnas.believed import Believed

        return self._chances(Believed.of(self))

    def _chances(self, believed: Believed) -> dict[tuple[int, ...], float]:
        from hwnas.chances import Spread, chances

        spread = Spread.of(believed, self._ranking_errors(believed.names))
        found = chances(spread, np.random.default_rng(int(self.spec.get("seed") or 0)))
        return dict(zip(believed.keys(), found.tolist(), strict=True))

    def _ranking_errors(self, names: Sequence[str]) -> dict[str, RankingError]:
        """What the audit of the super-network says, where there is one."""
        from hwnas.ranking_error import ranking_error

        record = self.spec.get("supernet")
        if "accuracy" not in names or not isinstance(record, Mapping) or not record.get("path"):
            return {}
        error = ranking_error(self.path / str(record["path"]), record.get("sha256"))
        return {} if error is None else {"accuracy": error}

    def hypervolume_course(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """The hypervolume after 1, 2, ... evaluations, against the reference of the spec: `(n,)` numbers and `(n,)` volumes."""
        rows, reference = self.rows(), self.hypervolume_reference
        directions = [record["direction"] for record in self.objectives]
        corner = minimised([list(reference.values())], directions)[0]
        archive, course, volume = Archive(len(reference)), np.zeros(len(rows)), 0.0
        for i, row in enumerate(rows):
            if row.status == "ok" and archive.add(minimised(row.numbers()[:, 0], directions)):
                volume = hypervolume(archive.values, corner)
            course[i] = volume
        return np.arange(1, len(rows) + 1), course

    def add_extras(self, items: Iterable[tuple[Architecture, str, Quantity]]) -> None:
        """Store what was learned about architectures, in place of what had those names before; all in one transaction."""
        rows = [(to_text(arch), name, q.value, q.low, q.high, q.origin) for arch, name, q in items]
        with Writer(self.database) as writer, writer.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO extras VALUES (?, ?, ?, ?, ?, ?)", rows)

    def add_extra(self, arch: Architecture, name: str, quantity: Quantity) -> None:
        """Store one thing that was learned about an architecture."""
        self.add_extras([(arch, name, quantity)])

    def add_phase(self, name: str, seconds: float, note: str = "") -> None:
        """Add a line to the cost ledger."""
        with Writer(self.database) as writer, writer.transaction() as db:
            db.execute("INSERT INTO phases VALUES (?, ?, ?)", (name, float(seconds), note))

    def phases(self) -> list[tuple[str, float, str]]:
        """The cost ledger: name, seconds, note, in order."""
        with reading(self.database) as db:
            return [(str(n), float(s), str(t)) for n, s, t in db.execute("SELECT name, seconds, note FROM phases ORDER BY rowid")]

    def write_front(self) -> None:
        """Write `front.csv` and `front.json` into the folder, each whole or not at all."""
        front, spec = self.front(chances=True), self.spec
        summary = {**spec, "counts": self.counts(), "hypervolume": front.hypervolume(self.hypervolume_reference)}
        document = {"schema": SCHEMA, "run": summary, **front.to_json()}
        fronts = {device: front.positions(names).tolist() for device, names in by_device(self.objectives).items()}
        document |= {"fronts": fronts} if fronts else {}
        try:
            partial = self.path / ".front.partial"
            front.to_csv(partial)
            os.replace(partial, self.path / "front.csv")
            partial.write_text(dumps(document, indent=1) + "\n", encoding="utf-8")
            os.replace(partial, self.path / "front.json")
        except OSError as error:
            raise DeviceError(f"cannot write the front into {self.path}: {error.strerror}") from error

    def verify(self, device: NetworkPredictor | None = None, **options: Any) -> dict[str, Any]:
        """Measures the front again, corrects the predictor where it was wrong, and returns the verdict; see `hwnas.verify.verify`."""
        from hwnas.finish import device_of
        from hwnas.verify import verify

        return verify(self, device_of(self) if device is None else device, **options)

    def finetune(self, pick: str | int, **options: Any) -> dict[str, Any]:
        """Trains one point of the front on its own and returns what came of it; see `hwnas.finetune.finetune`."""
        from hwnas import finish
        from hwnas.finetune import finetune

        return finetune(self, finish.pick(self, pick), **options)

    def export(self, pick: str | int, path: str | Path) -> ExportReport:
        """Writes one point of the front (`best`, `cheapest`, `knee`, `fastest` or its number) as ONNX; see `hwnas.export.export`."""
        from hwnas.finish import export_pick

        return export_pick(self, pick, path)

    def report(self, out: str | Path | None = None, cost: str | None = None) -> Path:
        """Writes the report, one HTML page, and returns where it is; see `hwnas.report.write_report`."""
        from hwnas.report import write_report

        return write_report(self.path, None if out is None else Path(out), cost)

    def __repr__(self) -> str:
        return f"<Run {self.path}>"
