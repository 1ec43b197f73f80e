"""The interval of a share that was counted."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError

Floats = npt.NDArray[np.float64]


def wilson(successes: npt.ArrayLike, trials: int, level: float = 0.9) -> tuple[Floats, Floats]:
    """Bounds of the interval of a share, for any number of `successes` out of `trials`; they stay within 0..1.

    Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927. Unlike the normal approximation it has a width
    at 0 and at 1 too. Raises InputError without trials.
    """
    if trials < 1 or not 0 < level < 1:
        raise InputError(f"an interval needs trials and a level between 0 and 1, got {trials} and {level}")
    share = np.asarray(successes, dtype=np.float64) / trials
    z = NormalDist().inv_cdf(0.5 + level / 2)
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return np.clip(np.minimum(centre - half, share), 0, 1), np.clip(np.maximum(centre + half, share), 0, 1)
