"""The numbers of a training."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from hwnas.supernet.recipe import SCHEDULES, Plan, Recipe


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"epochs": 1.5}, {"batch_size": 1}, {"batch_size": True}, {"cutout": -1}, {"average": 1.0},
        {"flip": 1}, {"learning_rate": 0.0}, {"learning_rate": math.nan}, {"momentum": 1.0}, {"weight_decay": -1e-3},
        {"label_smoothing": 1.0}, {"clip_norm": 0.0}, {"shift": -1}, {"warmup_epochs": -1.0}, {"seed": -1},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
        Recipe(**wrong)


def test_names_are_checked_and_every_optimiser_has_a_learning_rate_of_its_own() -> None:
    with pytest.raises(InputError, match="unknown training option 'epoch': did you mean 'epochs'"):
        Recipe.of({"epoch": 3})
    with pytest.raises(InputError, match="unknown optimiser 'adam': did you mean 'adamw'"):
        Recipe(optimiser="adam")
    with pytest.raises(InputError, match="unknown schedule"):
        Recipe(schedule="step")
    assert Recipe.of({"optimiser": "adamw"}).peak < Recipe().peak
    assert Recipe(optimiser="adamw", learning_rate=0.1).peak == 0.1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_begin_at_the_peak_and_never_rise(schedule: str) -> None:
    rates = [Recipe(schedule=schedule, learning_rate=0.4).rate(share / 10, 5.0) for share in range(11)]
    assert rates[0] == pytest.approx(0.4)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.4 if schedule == "constant" else 0.0)


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    recipe = Recipe(learning_rate=0.4, warmup_epochs=2.0)
    assert recipe.rate(0.0, 0.5) == pytest.approx(0.1)
    assert recipe.rate(0.5, 5.0) == pytest.approx(0.2)
    assert recipe.rate(1.0, 10.0) == pytest.approx(0.0)
    assert Recipe(learning_rate=0.4, warmup_epochs=0.0).rate(0.0, 0.1) == 0.4


def test_without_a_limit_the_schedule_is_the_share_of_epochs() -> None:
    plan = Plan.of(7)
    for epoch in range(7):
        assert plan.progress(0.5) == pytest.approx((epoch + 0.5) / 7)
        plan.advance()
    assert (plan.done, plan.left) == (7, 0)
    assert plan.share == pytest.approx(1.0)


@given(st.lists(st.integers(-2, 40), min_size=30, max_size=30))
def test_whatever_the_time_allows_the_schedule_rises_and_ends(fitting: list[int]) -> None:
    plan, shares = Plan.of(30), [0.0]
    for number in fitting:
        plan.advance(number)
        shares.append(plan.share)
        assert 0 <= plan.left <= 30 - plan.done
        if not plan.left:
            break
    assert plan.left == 0
    assert shares == sorted(shares)
    assert shares[-1] <= 1 + 1e-9


def test_when_time_shrinks_steadily_the_schedule_is_completed() -> None:
    plan = Plan.of(100)
    for number in (3, 2, 1, 0):
        plan.advance(number)
    assert (plan.done, plan.left) == (4, 0)
    assert plan.share == pytest.approx(1.0)
