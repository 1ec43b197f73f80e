"""The report as Markdown: picks, front, verification and ledger as tables that a repository or an issue shows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hwnas.report import formats
from hwnas.report.devices import device_fronts
from hwnas.report.model import Objective, ReportData
from hwnas.report.picks import Pick, recommend
from hwnas.report.verification import score_rows, verdict
from hwnas.report.views import known_count, ledger
from hwnas.report.worth import against_hand

#: Characters that begin markup in Markdown or HTML, anywhere and at the start of a line.
_SPECIAL, _FIRST = re.compile(r"([\\`*_{}\[\]<>|~$&])"), re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+#=]))")


def markdown(data: ReportData) -> str:
    """The report of a run as Markdown text."""
    picks = recommend(data)
    facts = [("Run", data.name), ("Device", data.device), *data.facts]
    parts = [
        f"# What to deploy on {plain(data.device)}",
        _table(("", ""), facts, "ll"),
        plain(verdict(data.verification, len(data.front), data.recorded)[1]),
    ]
    parts += [f"- {plain(reason)}" for reason in (data.verification.reasons if data.verification else ())]
    if data.front:
        parts += ["## Recommended", _picks(data, picks), "## Every point of the front", _front(data, picks)]
    fronts = device_fronts(data)
    if fronts:
        each = [(front.name, ", ".join(str(point.number) for point in front.points)) for front in fronts]
        parts += ["## The front of every device", _table(("Device", "Points, from cheap to costly"), each, "ll")]
    parts += [plain(f"Beside the front: {text}") for text in (against_hand(data),) if text]
    if data.verification:
        parts += ["## Predicted against measured", _table(("Score", "This run", "Measured twice"), score_rows(data.verification), "lrr")]
    if data.audit:
        parts += ["## Shared weights against weights of their own", plain(data.audit.heading)]
        parts += [_table(("Compared", "Tau"), data.audit.rankings, "lr"), "\n".join(f"- {plain(text)}" for text in data.audit.sentences)]
    lines, total = ledger(data.phases)
    if lines:
        rows = [(line.name, line.time, line.note) for line in lines]
        parts += ["## What it took", _table(("Phase", "Time", "Note"), [*rows, ("Total", total, "")], "lrl")]
    notes = [plain(missing.what) + (f" Next: {code(missing.command)}" if missing.command else "") for missing in data.missing.values()]
    return "\n\n".join([*parts, *notes]) + "\n"


def plain(text: str) -> str:
    """A text in which nothing is markup, in one line."""
    return (
        _FIRST.sub(r"\1\\", _SPECIAL.sub(r"\\\1", " ".join(text.split())))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
        .replace("\\&", "&amp;")
    )


def code(text: str) -> str:
    """A command in code; its fence is longer than any run of backticks in it."""
    line = " ".join(text.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _picks(data: ReportData, picks: Sequence[Pick]) -> str:
    header = ("Pick", "Point", *(o.axis for o in data.objectives), "Why")
    rows = []
    for pick in picks:
        point = data.front[pick.index]
        numbers = [_number(o, o.full(point.values[o.name])) for o in data.objectives]
        rows.append((pick.title, str(point.number), *numbers, f"{pick.reason} {pick.comparison}".strip()))
    return _table(header, rows, "lr" + "r" * len(data.objectives) + "l")


def _front(data: ReportData, picks: Sequence[Pick]) -> str:
    header = ["Point", *(o.axis for o in data.objectives)]
    header += [*(["Measured"] if any(p.measured for p in data.front) else []), *(["Test"] if data.test else []), "MACs", "Architecture"]
    rows = []
    for i, point in enumerate(data.front):
        names = ", ".join(pick.name for pick in picks if pick.index == i)
        row = [f"{point.number} ({names})" if names else str(point.number)]
        row += [_number(o, o.full(point.values[o.name])) for o in data.objectives]
        row += [data.cost.full(point.measured) if data.cost else formats.UNKNOWN] if "Measured" in header else []
        row += [data.test.full(point.extras.get(data.test.name))] if data.test else []
        rows.append((*row, formats.count(known_count(point, "macs")), point.description.summary))
    return _table(header, rows, "l" + "r" * (len(header) - 2) + "l")


def _number(objective: Objective, text: str) -> str:
    """A number without the unit, which stands in the heading."""
    return text.replace(f" {objective.unit}", "", 1) if objective.unit else text


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    marks = {"l": ":--", "r": "--:"}
    cells = [" | ".join(map(plain, header)), " | ".join(marks[letter] for letter in align), *(" | ".join(map(plain, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in cells)
