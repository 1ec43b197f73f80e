"""What it takes to load and to time an item, in seconds: guessed from its sizes, corrected by what was seen on this machine so far.

Only used to divide a budget; no result depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from device_profiles.items import Item
from device_profiles.protocol import Protocol

#: Seconds to make a session, to fill and write a byte of its weights, and per block beyond its calls.
_LOAD_S, _LOAD_S_PER_BYTE, _OVERHEAD_S = 0.012, 4e-9, 0.002

#: Guesses are trusted like this many seconds of experience.
_TRUST_S = 0.1


class Effort:
    """Seconds per item."""

    def __init__(self, settings: Protocol) -> None:
        self.settings = settings
        self.loads = 0
        self._load, self._block = _Factor(), _Factor()

    def load_s(self, item: Item) -> float:
        """To load an item."""
        return self._load.value * _load_guess(item)

    def block_s(self, item: Item) -> float:
        """To time one block of an item."""
        return self._block.value * self._block_guess(item)

    def saw_load(self, item: Item, seconds: float) -> None:
        """Learns from a load."""
        self.loads += 1
        self._load.add(_load_guess(item), seconds)

    def saw_block(self, item: Item, seconds: float) -> None:
        """Learns from a block."""
        self._block.add(self._block_guess(item), seconds)

    def rounds(self, left_s: float, background: Iterable[Item], active: Iterable[Item], pending: Iterable[Item]) -> float:
        """How many rounds each item can have in all, so that everything is done when `left_s` are over."""
        left, each = left_s, sum(map(self.block_s, background))
        for item in active:
            block = self.block_s(item)
            left, each = left + len(item.rounds) * block, each + block
        for item in pending:
            left, each = left - self.load_s(item), each + self.block_s(item)
        return left / each

    def _block_guess(self, item: Item) -> float:
        s = self.settings
        calls_s = (s.warmup_calls + s.min_calls) * item.call_ms / 1e3
        return max(s.block_ms / 1e3, calls_s) + _OVERHEAD_S


class _Factor:
    """Seconds seen over seconds guessed."""

    def __init__(self) -> None:
        self._guessed = self._seen = _TRUST_S

    def add(self, guessed: float, seen: float) -> None:
        """Takes in one more."""
        self._guessed, self._seen = self._guessed + guessed, self._seen + seen

    @property
    def value(self) -> float:
        """The quotient of the sums."""
        return self._seen / self._guessed


def _load_guess(item: Item) -> float:
    return _LOAD_S + _LOAD_S_PER_BYTE * item.bytes
