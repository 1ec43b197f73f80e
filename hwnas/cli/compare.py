"""`compare`: algorithms on a recorded table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from device_profiles.errors import InputError
from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, need, say

if TYPE_CHECKING:
    from hwnas.search.tables import Table

TableFile = Annotated[Path, typer.Option("--table", help="Recorded architectures: .npz or .csv.")]
Device = Annotated[str | None, typer.Option(help="The device whose costs are meant, where the table holds several.")]
Images = Annotated[str | None, typer.Option("--dataset", help="The data set whose accuracy is meant, where the table holds several.")]


def compare(
    table: TableFile,
    algorithms: Annotated[str, typer.Option(help="Comma-separated; random search is always added.")],
    seeds: Annotated[int, typer.Option(min=1, help="Replays of each algorithm.")] = 10,
    evaluations: Annotated[int, typer.Option(min=1, help="Different architectures per replay.")] = 200,
    objectives: Annotated[str | None, typer.Option(help="Comma-separated columns; accuracy and the first cost when not given.")] = None,
    device: Device = None,
    dataset: Images = None,
    constraint: Annotated[list[str] | None, typer.Option(help='Such as "latency_ms<=20"; may be given several times.')] = None,
    reference: Annotated[str | None, typer.Option(help='The hypervolume\'s reference, such as "accuracy=0.7,latency_ms=20".')] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for comparison.html, .csv and .svg.")] = None,
    json: Json = False,
) -> None:
    """Replay search algorithms on a recorded table: the same numbers for all of them."""
    need("pymoo", "moocore", "scipy", extra="search")
    from hwnas import replay
    from hwnas.replay.files import write_files
    from hwnas.search.tables import read_table

    recorded = read_table(table)
    wanted = pick(recorded, objectives, device, dataset)
    names = [name.strip() for name in algorithms.split(",") if name.strip()]
    with bar(f"replaying {recorded.name}") as update:
        found = replay.compare(
            recorded, names, seeds, evaluations, objectives=wanted, constraints=constraint or (), reference=point(reference),
            progress=update,
        )  # fmt: skip
    files = write_files(found, out) if out is not None else []
    if json:
        facts = {"table": found.table, "objectives": dict(found.objectives), "constraints": list(found.constraints)}
        emit(
            {
                **facts,
                "reference": dict(found.reference),
                "volume": found.volume,
                "left_out": found.left_out,
                "seeds": seeds,
                "algorithms": found.rows(),
            }
        )
        return
    if found.left_out:
        say(f"left out: {found.left_out} of {len(recorded)} rows, without {' or '.join(wanted)}")
    for row in found.rows():
        reached = row["evaluations_to_99"]
        soon = f"{reached:.0f} evaluations to 99 % of the true front" if reached is not None else "99 % of the true front not reached"
        chance = "" if row["p_against_random"] is None else f", p {row['p_against_random']:.2g} against random"
        say(f"{row['algorithm']}: {soon}, {row['hypervolume']:.2%} at the end, {row['seconds']:.2g} s of its own{chance}")
    for file in files:
        say(f"written: {file}")


def pick(table: Table, objectives: str | None, device: str | None, dataset: str | None) -> dict[str, str | None]:
    """The columns of a table that are meant, by name: the variant that `--device` or `--dataset` names, or the only one.

    Raises InputError where there are several and none is named, and for names that the table does not hold.
    """
    costs = [name for name in table.columns if name != "accuracy"]
    given = [name.strip() for name in (objectives or "").split(",") if name.strip()]
    names = given or [*table.columns.keys() & {"accuracy"}, *costs[:1]]
    chosen: dict[str, str | None] = {}
    for name in names:
        variant = dataset if name == "accuracy" else device
        chosen[name] = variant if table.columns.get(name, {}).keys() != {""} else None
        table.column(name, chosen[name])
    return chosen


def point(text: str | None) -> dict[str, float]:
    """`name=number,...` as a dictionary. Raises InputError that repeats what is wrong."""
    result = {}
    for item in text.split(",") if text else []:
        name, _, number = item.partition("=")
        try:
            result[name.strip()] = float(number)
        except ValueError as error:
            raise InputError(f"not a reference: {item!r}; write NAME=NUMBER, such as latency_ms=20") from error
    return result
