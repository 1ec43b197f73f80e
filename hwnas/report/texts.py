"""The sentences of the page, computed from the numbers: what an engineer should take home from each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwnas.report.charts import below_window
from hwnas.report.devices import devices_caption
from hwnas.report.formats import plural, ratio
from hwnas.report.model import Course, Link, Objective, Point, ReportData
from hwnas.report.picks import Pick
from hwnas.report.views import ledger, table
from hwnas.report.worth import against_hand


@dataclass(frozen=True, slots=True)
class Key:
    """One of the numbers at the head of the page."""

    title: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A recommended point with all the names it won and everything its block says."""

    titles: str
    point: Point
    model: Link | None
    numbers: Sequence[tuple[str, str, str]]
    reasons: Sequence[str]


def context(data: ReportData, picks: Sequence[Pick]) -> dict[str, Any]:
    """Everything the template needs beside the data, the figures and the verdict."""
    columns, rows = table(data, picks)
    lines, total = ledger(data.phases)
    names = {point.architecture: f"Point {point.number}" for point in data.front}
    measured = data.verification.pairs if data.verification else ()
    gain, cost = data.gain, data.cost
    return {
        "keys": keys(data, picks, gain, cost) if gain and cost and picks else [],
        "choices": choices(data, picks, gain, cost) if gain and cost else [],
        "pairs": [(pair, names.get(pair.architecture) or " ".join(map(str, pair.architecture))) for pair in measured],
        "course_caption": course_caption(data.search_course, data.baseline_course, data.reference),
        "export": f"hwnas export {data.command} --pick {data.front[data.knee].number if data.partial and data.front else 'knee'}",
        "other_picks": [pick_argument(data, pick) for pick in picks if pick.name != "knee"],
        "pick_note": pick_note(data), "front_label": front_label(data), "front_caption": front_caption(data),
        "parallel_caption": parallel_caption(data), "devices_caption": devices_caption(data),
        "table_note": table_note(data), "columns": columns, "rows": rows, "counts_note": counts_note(data),
        "ledger": lines, "total": total, "origin_note": origin_note(data),
    }  # fmt: skip


def keys(data: ReportData, picks: Sequence[Pick], gain: Objective, cost: Objective) -> list[Key]:
    """Best accuracy, the cheapest within one point of it, the knee, and the span of the cost; equal points share a number."""
    found = []
    for index, own in _together([pick for pick in picks if pick.name != "fastest"]):
        point = data.front[index]
        what, value, _ = _accuracy(data, point, gain)
        spent = point.measured or point.values[cost.name]
        found.append(Key(_titles(own), value, f"{what.lower()} at {cost.text(spent.value)}, {spent.origin}"))
    low, high = (data.front[i].values[cost.name].value for i in (0, -1))
    span = f"{cost.bare(low)}–{cost.text(high)}" if high > low else cost.text(low)
    note = f"{plural(len(data.front), 'point')}{f', {ratio(high / low)} from end to end' if high > low > 0 else ''}"
    return [*found, Key(f"{cost.label} of the front", span, note)]


def _together(picks: Sequence[Pick]) -> list[tuple[int, list[Pick]]]:
    """The picks of each point."""
    return [(index, [pick for pick in picks if pick.index == index]) for index in dict.fromkeys(pick.index for pick in picks)]


def _titles(picks: Sequence[Pick]) -> str:
    return picks[0].title + "".join(f" · {pick.title[0].lower()}{pick.title[1:]}" for pick in picks[1:])


def _accuracy(data: ReportData, point: Point, gain: Objective) -> tuple[str, str, str]:
    """What the number is, its text and its interval: on test images when they are known, otherwise what the search saw."""
    late = point.extras.get(data.test.name) if data.test else None
    if data.test is not None and late is not None:
        return data.test.label, data.test.text(late.value), data.test.interval(late)
    seen = point.values[gain.name]
    return _seen(gain), gain.text(seen.value), gain.interval(seen)


def _seen(gain: Objective | None) -> str:
    """The name of what the search saw."""
    if gain is None:
        return "Values"
    return f"Validation {gain.label.lower()}" if "accuracy" in gain.name else gain.label


def choices(data: ReportData, picks: Sequence[Pick], gain: Objective, cost: Objective) -> list[Choice]:
    """The picks as blocks; picks that are the same point share one."""
    found = []
    for index, own in _together(picks):
        point = data.front[index]
        model = point.model
        reasons = [text for text in (*(pick.reason for pick in own), own[0].comparison) if text]
        found.append(Choice(_titles(own), point, model, _numbers(data, point, gain, cost), reasons))
    return found


def pick_argument(data: ReportData, pick: Pick) -> str:
    """What `hwnas export --pick` takes for a pick: a name where it means the same point there, otherwise the number of the point."""
    number = data.front[pick.index].number
    ends = {} if data.partial else {"best": len(data.front) - 1, "fastest": 0}
    return pick.name if ends.get(pick.name) == number else str(number)


def _numbers(data: ReportData, point: Point, gain: Objective, cost: Objective) -> list[tuple[str, str, str]]:
    predicted = point.values[cost.name]
    found = [_accuracy(data, point, gain)]
    if point.measured is not None:
        found.append((f"{cost.label} measured", cost.text(point.measured.value), cost.interval(point.measured)))
    found.append((f"{cost.label} {predicted.origin}", cost.text(predicted.value), cost.interval(predicted)))
    others = [o for o in data.objectives if o not in (gain, cost)]
    return found + [(o.label, o.text(point.values[o.name].value), o.interval(point.values[o.name])) for o in others]


def pick_note(data: ReportData) -> str:
    """What the picks were chosen by."""
    if data.test is None:
        unknown = " Test accuracy has not been recorded." if data.gain and "accuracy" in data.gain.name else ""
        return f"Chosen by what the search saw. Ranges are 90 % intervals.{unknown}"
    return "Chosen on validation images, judged on test images that the search never saw. Ranges are 90 % intervals."


def front_label(data: ReportData) -> str:
    """The main figure for those who cannot see it."""
    if data.gain is None or data.cost is None or not data.front:
        return "The evaluated architectures"
    ends = [data.front[i].values for i in (0, -1)]
    texts = [f"{data.gain.text(v[data.gain.name].value)} at {data.cost.text(v[data.cost.name].value)}" for v in ends]
    what = f"{data.gain.label} against {data.cost.label.lower()}"
    return f"{what}: {plural(len(data.front), 'front point')} from {texts[0]} to {texts[1]}; all numbers are in the table below"


def front_caption(data: ReportData) -> str:
    """How to read the main figure."""
    texts = [f"{_seen(data.gain)}, as the search saw it; bars are 90 % intervals both ways."]
    if data.baseline and data.baseline_course:
        n = plural(data.baseline_course.evaluations[-1], "evaluation")
        texts.append(f"The dashed line is the front of a random search after {n}.")
    if data.references:
        texts.append(f"Triangles are the front of {against_hand(data)}")
    if any(point.measured for point in data.front):
        texts.append("Crosses are measured on the device.")
    below = below_window(data)
    if below:
        texts.append(f"Below the frame: {plural(below, 'evaluated architecture')}; “Show all” brings them in.")
    texts.append("Choose a point to read its details.")
    return " ".join(texts)


def parallel_caption(data: ReportData) -> str:
    """How to read the figure of all objectives."""
    return (
        f"Each line is a point of the front across {len(data.objectives)} objectives; on every axis up is better, from the worst to the "
        "best of the front. Recommended points are drawn bold. Choose a point to read its details."
    )


def table_note(data: ReportData) -> str:
    """What separates the accuracies of the table."""
    seen = "The search saw validation images only; test images were used after it ended. " if data.test else ""
    chanced = any(point.chance is not None for point in data.front)
    chance = "“On the front” is the chance that no evaluated architecture beats the point, given all those intervals. " if chanced else ""
    counted = "" if data.recorded else "Points are numbered as hwnas export --pick counts them."
    return f"{seen}Under each number stands its 90 % interval. {chance}{counted}".rstrip()


def course_caption(search: Course | None, baseline: Course | None, reference: str) -> str:
    """What the search reached, and when it passed what random search reached in the end."""
    if search is None:
        return ""
    end = search.hypervolume[-1]
    texts = [f"After {plural(search.evaluations[-1], 'evaluation')} the search reached a hypervolume of {end:.5g}"]
    if baseline is None:
        texts[0] += "; there is no random search beside it."
    else:
        random = baseline.hypervolume[-1]
        texts[0] += f", random search {random:.5g} after {baseline.evaluations[-1]:,}."
        passed = next((n for n, volume in zip(search.evaluations, search.hypervolume, strict=True) if volume >= random), None)
        texts.append(
            "The search never reached what random search found." if passed is None
            else f"It had passed the end of random search after {plural(passed, 'evaluation')}."
        )  # fmt: skip
    return " ".join([*texts, f"Fixed reference point: {reference}."])


def counts_note(data: ReportData) -> str:
    """How many architectures were evaluated, and what became of them."""
    total = sum(data.counts.values())
    named = {"ok": "met every constraint", "infeasible": "violated a constraint", "failed": "failed"}
    parts = [f"{data.counts[status]:,} {text}" for status, text in named.items() if data.counts.get(status)]
    return f"{plural(total, 'architecture')} evaluated: {', '.join(parts)}." if total else "Nothing has been evaluated."


def origin_note(data: ReportData) -> str:
    """Which numbers are measured and which are predicted."""
    if data.recorded:
        return "All numbers are those of the table; a combination that it does not hold stands for the nearest row."
    if data.verification:
        return "Numbers called predicted come from the device's predictor; numbers called measured were timed on the device itself."
    return "Numbers called predicted come from the device's predictor; none of this front has been timed on the device yet."
