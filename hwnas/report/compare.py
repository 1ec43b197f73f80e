"""Two runs, or one search on two devices, side by side: what each reaches at equal cost, and what the same networks cost in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity
from hwnas.report.data import collect
from hwnas.report.formats import plural, ratio
from hwnas.report.model import Objective, Point, ReportData
from hwnas.report.naming import axes
from hwnas.report.picks import Pick, recommend
from hwnas.report.verification import verdict
from hwnas.run import Run

#: Budgets at which the fronts are compared.
LEVELS = 8
#: At most this many networks that both runs evaluated are listed.
MAX_SHARED = 40


@dataclass(frozen=True)
class Side:
    """One of the two: its letter, what its own report shows, and its spec."""

    letter: str
    data: ReportData
    spec: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The letter and the name of the run, which two runs may share."""
        return f"{self.letter}: {self.data.name}"


@dataclass(frozen=True, slots=True)
class Level:
    """The best point of each front within one budget, None where there is none, and which is ahead."""

    budget: float
    points: tuple[Point | None, Point | None]
    ahead: str


@dataclass(frozen=True, slots=True)
class Shared:
    """A network that both runs evaluated: its summary and its cost in both."""

    summary: str
    costs: tuple[Quantity, Quantity]

    @property
    def times(self) -> float:
        """The second cost over the first."""
        return self.costs[1].value / self.costs[0].value if self.costs[0].value > 0 else float("nan")


@dataclass(frozen=True)
class Comparison:
    """Everything on the page."""

    sides: tuple[Side, Side]
    gain: Objective
    cost: Objective
    notes: Sequence[str]
    facts: Sequence[tuple[str, str, str]]
    levels: Sequence[Level]
    picks: Sequence[tuple[Side, Pick, Point]]
    shared: Sequence[Shared]
    shared_note: str


def compare(first: Run, second: Run, page: Path) -> Comparison:
    """What a page at `page` shows about two runs. Raises InputError when they have no gain and cost in common, or a front is empty."""
    sides = tuple(Side(letter, collect(run, page), run.spec) for letter, run in (("A", first), ("B", second)))
    a, b = sides
    common = [o for o in a.data.objectives if o in b.data.objectives]
    gain, cost = axes(common)
    if gain is None or cost is None:
        texts = [f"{side.name} has {', '.join(o.name for o in side.data.objectives)}" for side in sides]
        raise InputError(f"these runs share no accuracy and cost to compare them by: {'; '.join(texts)}")
    for side, run in zip(sides, (first, second), strict=True):
        if not side.data.front:
            raise InputError(f"the front of {run.path} is empty: there is nothing to compare yet")
    shared = _shared(first, second, a.data, b.data, cost)
    picks = [(side, pick, side.data.front[pick.index]) for side in sides for pick in recommend(side.data)]
    return Comparison((a, b), gain, cost, _notes(a, b), _facts(a, b), _levels(a, b, gain, cost), picks, shared[:MAX_SHARED], _note(shared))


def _notes(a: Side, b: Side) -> list[str]:
    """What keeps the numbers of the two from being compared as they stand."""
    found = []
    if a.data.device != b.data.device:
        found.append(f"Costs are of two devices: A of {a.data.device}, B of {b.data.device}.")
    for key, field, text in (
        ("data", "sha256", "The two runs saw different images: their accuracies do not compare."),
        ("supernet", "sha256", "The weights come from different super-networks: accuracies differ for that reason too."),
    ):
        known = [side.spec.get(key) for side in (a, b)]
        digests = [record.get(field) if isinstance(record, dict) else None for record in known]
        if None not in digests and digests[0] != digests[1]:
            found.append(text)
    for side in (a, b):
        if "evaluations" in side.data.missing:
            found.append(f"{side.name}: {side.data.missing['evaluations'].what}")
    return found


def _facts(a: Side, b: Side) -> list[tuple[str, str, str]]:
    """What the two are, row by row."""
    tables = [{"Device": s.data.device, **dict(s.data.facts), "Started": s.data.when} for s in (a, b)]
    states = [verdict(side.data.verification, len(side.data.front), side.data.recorded)[1] for side in (a, b)]
    names = list(dict.fromkeys([*tables[0], *tables[1]]))
    rows = [(name, tables[0].get(name, "–"), tables[1].get(name, "–")) for name in names]
    counts = [plural(len(side.data.front), "point") for side in (a, b)]
    return [*rows, ("Front", counts[0], counts[1]), ("Verification", states[0], states[1])]


def _levels(a: Side, b: Side, gain: Objective, cost: Objective) -> list[Level]:
    """Budgets from where both have a point to where the dearer front ends, in equal ratios."""
    costs = [[p.values[cost.name].value for p in side.data.front] for side in (a, b)]
    low, high = max(min(costs[0]), min(costs[1])), max(max(costs[0]), max(costs[1]))
    steps = [low * (high / low) ** (i / (LEVELS - 1)) for i in range(LEVELS - 1)] if high > low > 0 else []
    return [_level(budget, a, b, gain, cost) for budget in (*steps, high)]


def _level(budget: float, a: Side, b: Side, gain: Objective, cost: Objective) -> Level:
    best = [_best(side.data.front, budget * (1 + 1e-12), gain, cost) for side in (a, b)]
    return Level(budget, (best[0], best[1]), _ahead(best[0], best[1], gain))


def _best(front: Sequence[Point], budget: float, gain: Objective, cost: Objective) -> Point | None:
    sign = 1 if gain.maximize else -1
    within = [p for p in front if p.values[cost.name].value <= budget]
    return max(within, key=lambda p: sign * p.values[gain.name].value, default=None)


def _ahead(first: Point | None, second: Point | None, gain: Objective) -> str:
    """Which of two points is better, and by how much; overlapping intervals cannot tell."""
    if first is None or second is None:
        return "A alone" if first else "B alone" if second else "neither"
    a, b = first.values[gain.name], second.values[gain.name]
    if a.value == b.value:
        return "equal"
    letter = "A" if (a.value > b.value) == gain.maximize else "B"
    lost = abs(a.value - b.value)
    text = f"{letter} by {lost * gain.factor:.1f} points" if gain.is_percent else f"{letter} by {gain.text(lost)}"
    return f"{text}, within the intervals" if a.low < a.high and b.low < b.high and a.high >= b.low and b.high >= a.low else text


def _shared(first: Run, second: Run, a: ReportData, b: ReportData, cost: Objective) -> list[Shared]:
    """The networks on either front that both runs evaluated, from cheap to dear; none where the spaces differ."""
    if first.spec.get("space") != second.spec.get("space"):
        return []
    known = [_costs(run, cost.name) for run in (first, second)]
    summaries = {p.architecture: p.description.summary for p in (*a.front, *b.front)}
    found = [Shared(text, (known[0][arch], known[1][arch])) for arch, text in summaries.items() if arch in known[0] and arch in known[1]]
    return sorted(found, key=lambda shared: shared.costs[0].value)


def _costs(run: Run, name: str) -> dict[tuple[int, ...], Quantity]:
    column, origin = run.names().index(name), next(str(r.get("origin", "predicted")) for r in run.objectives if r["name"] == name)
    rows = ((row.architecture, row.estimates[column]) for row in run.rows() if row.status == "ok")
    return {arch: Quantity(*estimate, origin) for arch, estimate in rows if estimate is not None}


def _note(shared: Sequence[Shared]) -> str:
    """What the shared networks say together."""
    times = [each.times for each in shared if each.times == each.times]
    if not times:
        return "No network on either front was evaluated in both runs."
    known = f"{plural(len(times), 'network')} of the fronts evaluated in both"
    if max(times) - min(times) < 0.005:
        return f"{known}: each costs {ratio(times[0])} as much in B."
    spread = f"from {ratio(min(times))} to {ratio(max(times))}"
    return f"{known}: in B they cost {ratio(median(times))} as much (median), {spread}."
