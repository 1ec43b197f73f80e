"""What loading and timing take: guesses that follow what is seen, and the rounds that a budget buys."""

import pytest

from device_profiles.effort import Effort
from device_profiles.items import Item, background_items
from device_profiles.operators import Operator, Tensor
from device_profiles.protocol import Protocol, guess_ms

SMALL = Operator("Relu", (Tensor((1, 8)),), (Tensor((1, 8)),))
LARGE = Operator("Relu", (Tensor((1, 10**8)),), (Tensor((1, 10**8)),))


def item(operator, rounds=()):
    return Item(operator.key, bytes, True, operator, 1, [list(r) for r in rounds])


def test_a_block_of_a_dear_item_takes_its_calls():
    effort, settings = Effort(Protocol()), Protocol()
    assert effort.block_s(item(SMALL)) == pytest.approx(settings.block_ms / 1e3 + 0.002)
    assert effort.block_s(item(LARGE)) > (settings.warmup_calls + settings.min_calls) * guess_ms(LARGE) / 1e3


def test_what_was_timed_already_is_known():
    timed = item(LARGE, [(5.0, 6.0, 7.0)])
    assert timed.call_ms == 6.0
    assert Effort(Protocol()).block_s(timed) == pytest.approx(4 * 6e-3 + 0.002)


def test_guesses_follow_what_was_seen():
    effort = Effort(Protocol())
    guess = effort.block_s(item(SMALL)), effort.load_s(item(SMALL))
    for _ in range(2000):
        effort.saw_block(item(SMALL), 3 * guess[0])
        effort.saw_load(item(SMALL), 2 * guess[1])
    assert effort.block_s(item(LARGE)) == pytest.approx(3 * Effort(Protocol()).block_s(item(LARGE)), rel=0.05)
    assert effort.load_s(item(SMALL)) == pytest.approx(2 * guess[1], rel=0.05)
    assert effort.loads == 2000


def test_rounds_that_a_budget_buys():
    effort, background = Effort(Protocol()), background_items()
    block = effort.block_s(item(SMALL))
    pending = [item(SMALL) for _ in range(97)]
    expected = (60 - 97 * effort.load_s(pending[0])) / (100 * block)
    assert effort.rounds(60.0, background, [], pending) == pytest.approx(expected, rel=0.05)
    had = [item(SMALL, [(0.001, 0.001, 0.001)] * 10) for _ in range(97)]
    assert effort.rounds(60.0, background, had, []) == pytest.approx((60 + 970 * block) / (100 * block), rel=0.05)
    dear = [item(LARGE) for _ in range(10)]
    assert effort.rounds(60.0, background, [], dear) < 60 / (10 * effort.block_s(dear[0]))
