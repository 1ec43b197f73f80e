"""`hwnas search --table`: a search over recorded architectures, into a run folder like any other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.compare import pick
from hwnas.cli.show import need

if TYPE_CHECKING:
    from hwnas.run import Run


def search_table(
    table: Path, out: Path, objectives: str, device: str | None, dataset: str | None, constraints: Sequence[str], algorithm: str,
    evaluations: int, seed: int | None, resume: bool, progress: Callable[[Any], None],
) -> Run:  # fmt: skip
    """The run. Raises InputError for whatever is wrong with the table or the columns named."""
    need("pymoo", "moocore", "scipy", extra="search")
    import hwnas
    from hwnas.search.tables import TableSpace, read_table

    recorded = read_table(table)
    space = TableSpace(recorded)
    columns = [space.objective(name, variant) for name, variant in pick(recorded, objectives, device, dataset).items()]
    spec = {"command": sys.argv, "columns": {"device": device, "dataset": dataset}}
    run = hwnas.search(
        space, columns, constraints, algorithm, evaluations, seed, out=out, resume=resume, extra_spec=spec, progress=progress
    )  # fmt: skip
    run.write_front()
    return run
