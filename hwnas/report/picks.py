"""Which points of the front to deploy, and why.

Points are chosen by what the search saw (validation), never by test numbers: a choice made on the test images would make them flatter it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from device_profiles.quantity import Quantity
from hwnas.report.formats import ratio
from hwnas.report.model import Objective, Point, ReportData

#: How much of the best accuracy the `cheapest` pick may give up, as a share.
ONE_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Pick:
    """A recommended point: its short name, the title on the page, its index on the front, the reason, and how it stands to the best."""

    name: str
    title: str
    index: int
    reason: str
    comparison: str


def choose(gains: Sequence[float], allowed: float, knee: int) -> dict[str, int]:
    """The recommended positions of a front sorted from cheap to costly: `best`, `cheapest`, `knee`, `fastest`; empty for an empty front.

    `gains` are to be maximised; `best` is the cheapest of the highest, `cheapest` the first that gives up at most `allowed` of it.
    """
    if not gains:
        return {}
    best = gains.index(max(gains))
    # A hair of slack: 0.98 - 0.97 is more than 0.01 in floating point.
    cheapest = next(i for i, gain in enumerate(gains) if gains[best] - gain <= allowed * (1 + 1e-9))
    return {"best": best, "cheapest": cheapest, "knee": knee, "fastest": 0}


def recommend(data: ReportData) -> list[Pick]:
    """The picks of a front with their reasons, from the most accurate to the cheapest; empty for an empty front or one objective."""
    gain, cost = data.gain, data.cost
    if gain is None or cost is None or not data.front:
        return []
    gains = [point.values[gain.name].value * (1 if gain.maximize else -1) for point in data.front]
    allowed = ONE_POINT * (100 / gain.factor if gain.is_percent else abs(max(gains)))
    chosen = choose(gains, allowed, data.knee)
    reasons = _Reasons(data.front, chosen["best"], gain, cost)
    titles = {
        "best": f"Best {gain.label.lower()}",
        "cheapest": f"{_fastest(cost, 'Cheapest')} within {_allowance(gain)} of the best",
        "knee": "Knee",
        "fastest": _fastest(cost, f"Lowest {cost.label.lower()}"),
    }
    return [Pick(name, titles[name], i, reasons.why(name, i), reasons.comparison(i)) for name, i in chosen.items()]


def _fastest(cost: Objective, otherwise: str) -> str:
    return "Fastest" if cost.is_time else otherwise


def _allowance(gain: Objective) -> str:
    return "one point" if gain.is_percent else "1 %"


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Sentences about points of one front, each against the best of it."""

    front: Sequence[Point]
    top: int
    gain: Objective
    cost: Objective

    def why(self, name: str, index: int) -> str:
        """What made this point the pick of that name; empty when the title says it all."""
        if len(self.front) == 1:
            return "The only point of the front." if name == "best" else ""
        if name == "best" and index:
            more = ratio(self._cost(index) / self._cost(0)) if self._cost(0) > 0 else "more than"
            return f"Nothing evaluated is better; it costs {more} the cheapest point."
        if name == "best":
            return "Nothing evaluated is better, and nothing on the front is cheaper."
        if name == "cheapest" and index == self.top:
            return f"No cheaper point comes within {_allowance(self.gain)} of the best." if index else ""
        if name == "knee":
            return f"Where the front bends: beyond it, more {self.gain.label.lower()} costs most."
        return "The cheap end of the front." if name == "fastest" and index != self.top else ""

    def comparison(self, index: int) -> str:
        """`2.1× faster than the best, for 0.6 points less validation accuracy.` Empty for the best itself."""
        if index == self.top:
            return ""
        gain, faster = self.gain, "faster" if self.cost.is_time else "cheaper"
        times = ratio(self._cost(self.top) / self._cost(index)) if self._cost(index) > 0 else "Much"
        lost = abs(self._value(self.top).value - self._value(index).value)
        shown = f"{lost * gain.factor:.1f}"
        given = f"{shown} point{'' if shown == '1.0' else 's'}" if gain.is_percent else gain.text(lost)
        seen = "validation " if "accuracy" in gain.name else ""
        text = f"{times} {faster} than the best, for {given} {'less' if gain.maximize else 'more'} {seen}{gain.label.lower()}."
        return text + (" The 90 % intervals overlap: these images cannot tell the two apart." if self._overlap(index) else "")

    def _overlap(self, index: int) -> bool:
        """Whether the loss is no larger than what the number of images can show."""
        here, top = self._value(index), self._value(self.top)
        known = here.low < here.high and top.low < top.high
        return known and here.high >= top.low and top.high >= here.low

    def _value(self, index: int) -> Quantity:
        return self.front[index].values[self.gain.name]

    def _cost(self, index: int) -> float:
        return self.front[index].values[self.cost.name].value
