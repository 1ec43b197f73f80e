from __future__ import annotations

from dataclasses import replace

from device_profiles.quantity import Quantity
from hwnas.report.model import Objective, Point, ReportData
from hwnas.report.worth import against_hand, cheapest, savings

GAIN, COST = Objective("accuracy", "Accuracy", "%", True, 100), Objective("latency_ms", "Latency", "ms", False)


def points(*pairs: tuple[float, float]) -> list[Point]:
    numbers = [(Quantity(gain, gain, gain, "measured"), Quantity(cost, cost, cost, "predicted")) for gain, cost in pairs]
    return [Point((i,), {"accuracy": gain, "latency_ms": cost}) for i, (gain, cost) in enumerate(numbers)]


def data(front: list[Point], references: list[Point]) -> ReportData:
    return ReportData("run", "run", [], "device", "", [GAIN, COST], GAIN, COST, front, references=references)


def test_the_cheapest_that_is_as_good() -> None:
    front = points((0.7, 1.0), (0.8, 2.0), (0.9, 4.0))
    found = cheapest(front, GAIN, COST, 0.75)
    assert found is not None
    assert found.architecture == (1,)
    assert cheapest(front, GAIN, COST, 0.95) is None
    less = replace(GAIN, maximize=False)
    assert cheapest(front, less, COST, 0.75) == front[0]


def test_savings_are_ratios_at_equal_gain_and_leave_out_what_has_no_equal() -> None:
    front = points((0.7, 1.0), (0.8, 2.0))
    assert savings(front, points((0.75, 3.0), (0.6, 0.5), (0.99, 9.0)), GAIN, COST) == [1.5, 0.5]


def test_the_sentence_says_cheaper_dearer_equal_and_what_is_missing() -> None:
    front = points((0.7, 1.0), (0.8, 2.0))
    assert "is 1.5× cheaper on the front" in against_hand(data(front, points((0.75, 3.0))))
    assert "is 2.0× dearer" in against_hand(data(front, points((0.75, 1.0))))
    assert "costs as much" in against_hand(data(front, points((0.8, 2.0))))
    assert "1 of them has no equal" in against_hand(data(front, points((0.75, 3.0), (0.9, 3.0))))
    assert "no point of the search is as good as any" in against_hand(data(front, points((0.9, 3.0))))
    assert against_hand(data(front, [])) == ""
