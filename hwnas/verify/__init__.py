"""Re-measures the front of a run on its device, says whether the predictions held, and corrects them where they did not.

The front was chosen among many candidates by predicted cost, so it is where errors that flatter would gather: a few random
architectures are measured beside it, by the same protocol and in the same rounds.
"""

from __future__ import annotations

from hwnas.verify.loop import ITERATIONS, verify
from hwnas.verify.place import SETTINGS
from hwnas.verify.points import MAX_POINTS, RANDOM_POINTS, Checked
from hwnas.verify.verdict import SPEARMAN, WITHIN_10, judge

__all__ = ["ITERATIONS", "MAX_POINTS", "RANDOM_POINTS", "SETTINGS", "SPEARMAN", "WITHIN_10", "Checked", "judge", "verify"]
