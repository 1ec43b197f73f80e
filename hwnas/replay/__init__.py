"""Replay: algorithms compared on a recorded table, so that the numbers are the same for all of them."""

from hwnas.replay.compare import Comparison, compare
from hwnas.replay.drive import Course

__all__ = ["Comparison", "Course", "compare"]
