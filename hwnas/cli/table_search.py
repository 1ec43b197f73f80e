"""`hwnas search --table`: a search over recorded architectures, into a run folder like any other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError, unknown
from hwnas.cli.compare import pick
from hwnas.cli.several import chosen, objectives_of
from hwnas.cli.show import need

if TYPE_CHECKING:
    from hwnas.run import Run
    from hwnas.search.tables import TableSpace


def search_table(
    table: Path, out: Path, objectives: str, devices: Mapping[str, str], dataset: str | None, constraints: Sequence[str], algorithm: str,
    evaluations: int | None, seed: int | None, resume: bool, progress: Callable[[Any], None],
    where: dict[str, Any],
) -> Run:  # fmt: skip
    """The run. Raises InputError for whatever is wrong with the table or the columns named."""
    need("pymoo", "moocore", "scipy", extra="search")
    import hwnas
    from hwnas.search.tables import TableSpace, read_table

    recorded = read_table(table)
    space = TableSpace(recorded)
    if len(devices) > 1:
        columns = _columns(space, objectives, devices, dataset)
    else:
        only = next(iter(devices.values()), None)
        columns = [space.objective(name, variant) for name, variant in pick(recorded, objectives, only, dataset).items()]
    named: Any = dict(devices) if len(devices) > 1 else next(iter(devices.values()), None)
    spec = {"command": sys.argv, "columns": {"device": named, "dataset": dataset}}
    run = hwnas.search(
        space, columns, constraints, algorithm, evaluations, seed, out=out, resume=resume, extra_spec=spec, progress=progress,
        **where,
    )  # fmt: skip
    run.write_front()
    return run


def _columns(space: TableSpace, objectives: str, devices: Mapping[str, str], dataset: str | None) -> list[Any]:
    """The columns that are meant with several devices: every cost that was recorded by device is one for each, and for the worst."""
    recorded = space.table.columns
    variants = {name: list(columns) for name, columns in recorded.items() if name != "accuracy" and set(columns) != {""}}
    measured = {variant for columns in variants.values() for variant in columns}
    if not measured:
        raise InputError(f"{space.table.name} says of no device what it costs there: give its costs with --objectives, without --device")
    for what in devices.values():
        if what not in measured:
            raise unknown(f"device of {space.table.name}", what, measured)
    costs = {
        name: {device: space.objective(name, what) for device, what in devices.items() if what in columns}
        for name, columns in variants.items()
    }
    names = [name.strip() for name in objectives.split(",") if name.strip()]
    known = objectives_of(costs, devices)
    known |= {name: [space.objective(name)] for name in recorded if name not in variants and name != "accuracy"}
    if "accuracy" in names:
        known["accuracy"] = [space.objective("accuracy", None if recorded.get("accuracy", {}).keys() == {""} else dataset)]
    wanted = chosen(names, {"accuracy": [], **known})
    if not wanted:
        raise InputError(f"--objectives names nothing; there is {', '.join(known)}")
    return wanted
