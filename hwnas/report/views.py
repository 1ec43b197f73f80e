"""The tables of the page: what each cell says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwnas.report import formats
from hwnas.report.architectures import PartRow
from hwnas.report.model import Objective, Phase, Point, ReportData
from hwnas.report.naming import extra
from hwnas.report.picks import Pick


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers: its heading, the line under it, and its rank: `minor` is left out on a phone, `least` on a tablet too."""

    title: str
    sub: str
    rank: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of the table: for sorting, for reading, and its interval."""

    value: str
    text: str
    bounds: str
    rank: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a network with the lengths of its bars in percent of the largest part."""

    name: str
    choices: str
    output: str
    macs: str
    macs_width: int
    params: str
    params_width: int


@dataclass(frozen=True, slots=True)
class Row:
    """A point of the front in the table, with what its details show."""

    point: Point
    names: Sequence[str]
    cells: Sequence[Cell]
    facts: Sequence[tuple[str, str]]
    parts: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A phase with its share of the whole and the length of its bar in percent of the longest."""

    name: str
    time: str
    share: str
    width: int
    note: str


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the numbers of a column come from: `values`, `extras` or `measured` of a point."""

    column: Column
    objective: Objective
    kind: str

    def cell(self, point: Point) -> Cell:
        """What the column shows for a point."""
        if self.kind == "measured":
            quantity = point.measured
        else:
            quantity = (point.values if self.kind == "values" else point.extras).get(self.objective.name)
        if quantity is None:
            return Cell("", formats.UNKNOWN, "", self.column.rank)
        return Cell(repr(quantity.value), self.objective.bare(quantity.value), self.objective.interval(quantity), self.column.rank)


#: More rows of parts than this are shown for recommended points only: the page has to stay small.
MAX_PART_ROWS = 3000


def table(data: ReportData, picks: Sequence[Pick]) -> tuple[list[Column], list[Row]]:
    """The columns and the rows of the front."""
    sources, rows = _sources(data), []
    chanced = any(point.chance is not None for point in data.front)
    everywhere = sum(len(point.description.parts) for point in data.front) <= MAX_PART_ROWS
    for i, point in enumerate(data.front):
        cells = [source.cell(point) for source in sources]
        cells += [_count_cell(known_count(point, name)) for name in ("macs", "params")]
        if chanced:
            cells.append(_chance_cell(point.chance))
        names = [pick.name for pick in picks if pick.index == i]
        rows.append(Row(point, names, cells, point_facts(point, data), bars(point.description.parts) if names or everywhere else []))
    columns = [*(source.column for source in sources), Column("MACs", "", "least"), Column("Parameters", "", "least")]
    return columns + ([Column("On the front", "chance", "least")] if chanced else []), rows


def _sources(data: ReportData) -> list[_Source]:
    """Every objective; the measured cost and the test accuracy stand beside what the search saw."""
    found: list[_Source] = []
    for objective in sorted(data.objectives, key=lambda o: (o is not data.cost, o is not data.gain)):
        unit = f", {objective.unit}" if objective.unit else ""
        source = "validation" if "accuracy" in objective.name else data.front[0].values[objective.name].origin if data.front else ""
        # A phone shows the cost and one accuracy, the one that nothing was chosen by.
        minor = objective not in (data.cost, data.gain) or (objective is data.gain and data.test is not None)
        found.append(_Source(Column(objective.label, source + unit, "minor" if minor else ""), objective, "values"))
        if objective is data.cost and any(point.measured for point in data.front):
            found.append(_Source(Column(objective.label, "measured" + unit, "minor"), objective, "measured"))
        if objective is data.gain and data.test is not None:
            found.append(_Source(Column(objective.label, "test" + unit), data.test, "extras"))
        if objective is data.gain and data.trained is not None:
            found.append(_Source(Column(objective.label, "test, trained alone" + unit, "minor"), data.trained, "extras"))
    return found


def known_count(point: Point, name: str) -> float | None:
    """MACs or parameters: as recorded in the run, otherwise as counted on the network of the space."""
    recorded = point.extras.get(name)
    return recorded.value if recorded is not None else getattr(point.description, name)


def _count_cell(value: float | None) -> Cell:
    return Cell("" if value is None else repr(value), formats.count(value), "", "least")


def _chance_cell(chance: float | None) -> Cell:
    return Cell("" if chance is None else repr(chance), formats.percent(chance, 0), "", "least")


def seen(objective: Objective, point: Point) -> str:
    """What a number that the search saw is called: accuracies are validation accuracies, costs say where they come from."""
    if "accuracy" in objective.name:
        return f"Validation {objective.label.lower()}"
    return f"{objective.label}, {point.values[objective.name].origin}"


def point_facts(point: Point, data: ReportData) -> list[tuple[str, str]]:
    """Everything known about a point, as (name, text)."""
    found = [(seen(o, point), o.full(point.values[o.name])) for o in data.objectives]
    if data.cost is not None and point.measured is not None:
        found.append((f"{data.cost.label}, re-measured", data.cost.full(point.measured)))
    shown = data.cost.name if data.cost and point.measured else ""
    for name, quantity in point.extras.items():
        if name not in (shown, "macs", "params"):
            known = extra(name, data.gain)
            source = "" if known.is_percent else f", {quantity.origin}"
            found.append((f"{known.label}{source}", known.full(quantity)))
    about = point.description
    found += [("MACs", formats.count(known_count(point, "macs"))), ("Parameters", formats.count(known_count(point, "params")))]
    if about.peak_activation_bytes is not None:
        found.append(("Peak activations", formats.file_size(about.peak_activation_bytes)))
    found.append(("Indices", " ".join(map(str, point.architecture))))
    return found


def bars(parts: Sequence[PartRow]) -> list[Bar]:
    """The parts of a network with bars relative to the largest of them."""
    macs, params = (max((getattr(part, name) for part in parts), default=0) or 1 for name in ("macs", "params"))
    found = []
    for part in parts:
        choices = ", ".join(f"{name} {value}" for name, value in part.choices)
        widths = round(100 * part.macs / macs), round(100 * part.params / params)
        found.append(Bar(part.name, choices, part.output, formats.count(part.macs), widths[0], formats.count(part.params), widths[1]))
    return found


def ledger(phases: Sequence[Phase]) -> tuple[list[LedgerLine], str]:
    """The lines of the cost ledger and the total."""
    total = sum(phase.seconds for phase in phases)
    longest = max((phase.seconds for phase in phases), default=0) or 1
    lines = [
        LedgerLine(
            p.name,
            formats.seconds(p.seconds),
            formats.percent(p.seconds / total if total else 0, 0),
            round(100 * p.seconds / longest),
            p.note,
        )
        for p in phases
    ]
    return lines, formats.seconds(total)
