"""The database of a run folder: its tables, one way to read it, one process that writes it.

While a search writes, the database keeps a write-ahead log: a kill loses no committed row, and reports can read meanwhile.
"""

from __future__ import annotations

import json
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError, InputError
from hwnas.objectives import Floats, check_name

#: Version of the tables and of front.json.
SCHEMA = 1
#: Marks a sqlite file as a run ("hwna" in ASCII).
APPLICATION_ID = 0x68776E61


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row of the table `evaluations`: (value, low, high) per objective, None where it is not known."""

    id: int
    architecture: tuple[int, ...]
    estimates: tuple[tuple[float, float, float] | None, ...]
    status: str
    error: str | None = None
    started: str = ""
    seconds: float = 0.0

    def numbers(self) -> Floats:
        """The estimates, shape `(m, 3)`; NaN where they are not known."""
        unknown = (np.nan,) * 3
        return np.array([unknown if e is None else e for e in self.estimates], dtype=np.float64)


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON that is the same text for the same value: sorted keys, no NaN."""
    return json.dumps(value, sort_keys=True, allow_nan=False, indent=indent, separators=None if indent else (",", ":"))


def to_text(arch: Sequence[int] | npt.NDArray[np.int64]) -> str:
    """An architecture as the JSON list that the tables hold."""
    return dumps([int(index) for index in arch])


def from_text(text: str) -> tuple[int, ...]:
    """The inverse of `to_text`."""
    return tuple(int(index) for index in json.loads(text))


def columns(names: Iterable[str]) -> list[str]:
    """The quoted columns of objectives: three each. Raises InputError for a name that is no identifier."""
    return [f'"{check_name(name)}{end}"' for name in names for end in ("", "_low", "_high")]


def _uri(path: Path, mode: str) -> str:
    return f"file:{urllib.parse.quote(str(path))}?mode={mode}"


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection; whatever sqlite complains about is the file's fault, and becomes an InputError."""
    try:
        db = _connect(path)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        raise InputError(f"cannot read {path} as a run: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that reads. One that may write is used only where a process was killed between two journals and sqlite must tidy up."""
    for mode in ("ro", "rw"):
        db = sqlite3.connect(_uri(path, mode), uri=True, timeout=30)
        try:
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            db.close()
            if mode == "rw" or "readonly" not in str(error):
                raise
        else:
            return db
    raise AssertionError("unreachable")


def holds_run(path: Path) -> bool:
    """Whether a file is the database of a run; one that was killed before its tables were made is not.

    Raises InputError when it is something else, or was written by a newer version.
    """
    if not path.exists():
        return False
    with reading(path) as db:
        mark, schema = (int(db.execute(f"PRAGMA {key}").fetchone()[0]) for key in ("application_id", "user_version"))
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if mark != APPLICATION_ID and not empty:
        raise InputError(f"{path} is not a run: it is another sqlite database")
    if schema > SCHEMA:
        raise InputError(f"{path} was written by a newer hwnas (schema {schema}, this one reads {SCHEMA}): upgrade hwnas")
    return not empty


def read_rows(path: Path, names: Sequence[str]) -> list[Evaluation]:
    """Every evaluation of the named objectives, in order of id. Raises InputError for a damaged table."""
    query = (
        "SELECT e.id, e.architecture, e.status, e.error, coalesce(t.started, ''), coalesce(t.seconds, 0), "
        f"{', '.join(columns(names))} FROM evaluations e LEFT JOIN timings t ON e.id = t.id ORDER BY e.id"
    )
    with reading(path) as db:
        found = db.execute(query).fetchall()
    try:
        rows = [_evaluation(row) for row in found]
        if len({len(row.architecture) for row in rows}) > 1:
            raise ValueError("its architectures have different numbers of choices")
        return rows
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _evaluation(row: Sequence[Any]) -> Evaluation:
    number, text, status, error, started, seconds, *rest = row
    triples = (rest[i : i + 3] for i in range(0, len(rest), 3))
    estimates = tuple(None if None in triple else (float(triple[0]), float(triple[1]), float(triple[2])) for triple in triples)
    return Evaluation(int(number), from_text(text), estimates, str(status), error, str(started), float(seconds))


class Writer:
    """The open database of a run, for the one process that adds evaluations; a context manager.

    Raises DeviceError when the disk refuses, or when `create` is not asked for and there is no file.
    """

    def __init__(self, path: Path, create: bool = False) -> None:
        self.path = path
        self._mode = "rwc" if create else "rw"

    def __enter__(self) -> Writer:
        with self._complaints():
            self._db = sqlite3.connect(_uri(self.path, self._mode), uri=True, timeout=30, isolation_level=None)
            try:
                # With a write-ahead log a commit needs no fsync, and what was committed survives a kill of the process.
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
            except sqlite3.Error:
                self._db.close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        # Back to one plain file, which can be copied and read from anywhere; not while others read it, and that is no error.
        with self._complaints():
            self._db.execute("PRAGMA busy_timeout = 0")
            try:
                self._db.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError:
                pass
            finally:
                self._db.close()

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DeviceError(f"cannot write {self.path}: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, whatever ends the block, ctrl-c included."""
        with self._complaints():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def create(self, names: Iterable[str], spec: Mapping[str, Any]) -> None:
        """Make the tables and store the spec, in one transaction, so that a run exists whole or not at all."""
        fields = ", ".join(f"{column} REAL" for column in columns(names))
        statements = (
            "CREATE TABLE spec (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
            "CREATE TABLE evaluations (id INTEGER PRIMARY KEY, architecture TEXT NOT NULL UNIQUE, "
            f"{fields}, status TEXT NOT NULL, error TEXT)",
            "CREATE TABLE timings (id INTEGER PRIMARY KEY, started TEXT, seconds REAL)",
            "CREATE TABLE extras (architecture TEXT, name TEXT, value REAL, low REAL, high REAL, origin TEXT, "
            "PRIMARY KEY (architecture, name))",
            "CREATE TABLE phases (name TEXT, seconds REAL, note TEXT)",
            f"PRAGMA application_id = {APPLICATION_ID}",
            f"PRAGMA user_version = {SCHEMA}",
        )
        with self.transaction() as db:
            for statement in statements:
                db.execute(statement)
            db.executemany("INSERT INTO spec VALUES (?, ?)", [(key, dumps(value)) for key, value in spec.items()])

    def add(self, rows: Sequence[Evaluation]) -> None:
        """Commit evaluations with their timings."""
        marks = ", ".join("?" * (4 + 3 * len(rows[0].estimates))) if rows else ""
        table = [(r.id, to_text(r.architecture), *(n for e in r.estimates for n in e or (None,) * 3), r.status, r.error) for r in rows]
        with self.transaction() as db:
            db.executemany(f"INSERT INTO evaluations VALUES ({marks})", table)
            db.executemany("INSERT INTO timings VALUES (?, ?, ?)", [(r.id, r.started, r.seconds) for r in rows])

    def set_spec(self, **values: Any) -> None:
        """Set keys of the spec."""
        with self.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO spec VALUES (?, ?)", [(key, dumps(value)) for key, value in values.items()])
