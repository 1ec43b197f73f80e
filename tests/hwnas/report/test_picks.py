from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device_profiles.quantity import Quantity
from hwnas.report.model import Objective, Point, ReportData
from hwnas.report.picks import choose, recommend

LATENCY = Objective("latency_ms", "Latency", "ms", False)
ACCURACY = Objective("accuracy", "Accuracy", "%", True, 100.0)


def data(*points: tuple[float, float], knee: int = 0, half: float = 0.0) -> ReportData:
    """A front of (latency, accuracy) points whose accuracies have intervals of +-`half`."""
    front = [
        Point((i,), {"latency_ms": Quantity(x, x, x, "predicted"), "accuracy": Quantity(y, y - half, y + half, "measured")})
        for i, (x, y) in enumerate(points)
    ]
    return ReportData("run", "run", [], "device", "", [ACCURACY, LATENCY], ACCURACY, LATENCY, front, knee)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).map(sorted), st.floats(0, 0.2))
def test_the_cheapest_pick_gives_up_no_more_than_allowed_and_nothing_cheaper_does(gains: list[float], allowed: float) -> None:
    chosen = choose(gains, allowed, 0)
    assert gains[chosen["best"]] == max(gains)
    assert chosen["cheapest"] <= chosen["best"]
    assert max(gains) - gains[chosen["cheapest"]] <= allowed + 1e-9
    assert all(max(gains) - gain > allowed for gain in gains[: chosen["cheapest"]])


def test_exactly_one_point_less_is_within_one_point() -> None:
    assert 0.98 - 0.97 > 0.01, "the reason for the slack"
    assert choose([0.9, 0.97, 0.98], 0.01, 0)["cheapest"] == 1


def test_an_empty_front_has_no_picks() -> None:
    assert choose([], 0.01, 0) == {}
    assert recommend(data()) == []


def test_reasons_state_what_is_gained_and_what_is_given_up() -> None:
    picks = {pick.name: pick for pick in recommend(data((1.0, 0.90), (2.0, 0.96), (3.0, 0.975), (6.0, 0.98), knee=1))}
    assert {name: pick.index for name, pick in picks.items()} == {"best": 3, "cheapest": 2, "knee": 1, "fastest": 0}
    assert picks["best"].reason == "Nothing evaluated is better; it costs 6.0× the cheapest point."
    assert picks["cheapest"].comparison == "2.0× faster than the best, for 0.5 points less validation accuracy."
    assert picks["knee"].comparison == "3.0× faster than the best, for 2.0 points less validation accuracy."
    assert picks["fastest"].comparison == "6.0× faster than the best, for 8.0 points less validation accuracy."
    assert picks["best"].comparison == ""


def test_a_loss_that_the_images_cannot_show_is_called_so() -> None:
    overlapping = recommend(data((1.0, 0.975), (2.0, 0.98), half=0.01))[1]
    apart = recommend(data((1.0, 0.975), (2.0, 0.98), half=0.001))[1]
    assert "cannot tell the two apart" in overlapping.comparison
    assert "cannot tell" not in apart.comparison


def test_one_point_is_everything_and_needs_no_comparison() -> None:
    picks = recommend(data((1.0, 0.9)))
    assert {pick.index for pick in picks} == {0}
    assert [pick.reason for pick in picks if pick.reason] == ["The only point of the front."]


def test_a_free_point_does_not_divide_by_zero() -> None:
    assert len(recommend(data((0.0, 0.9), (1.0, 0.95)))) == 4
