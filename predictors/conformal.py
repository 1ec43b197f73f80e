"""How wide an interval must be that holds the next error with a chance of 90 %, from the errors seen so far."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

#: The chance that an interval holds the truth.
COVERAGE = 0.9

#: With this many errors or more their order statistics decide; below, the largest of them is not large enough.
ENOUGH = 9

#: How many errors the prior counts for.
_PRIOR_WEIGHT = 2.0


def half_width(errors: npt.ArrayLike, prior: float) -> float:
    """The size that the next error stays below with a chance of 90 %; `errors` of shape `(n,)`, of any sign, n may be 0.

    From `ENOUGH` errors on this is split conformal prediction (Vovk, Gammerman and Shafer 2005; Lei et al., JASA 2018): the
    ceil(0.9 (n + 1))-th smallest, exact for exchangeable errors of any distribution. Fewer errors cannot tell so much: then they are
    taken as normal with an unknown variance, `prior` squared before any error is seen, which gives a Student t and a wide interval.
    """
    sizes = np.sort(np.abs(np.asarray(errors, dtype=np.float64)))
    n = len(sizes)
    if n >= ENOUGH:
        return float(sizes[min(math.ceil(COVERAGE * (n + 1)), n) - 1])
    freedom = _PRIOR_WEIGHT + n
    variance = (_PRIOR_WEIGHT * prior**2 + float(np.square(sizes).sum())) / freedom
    return float(stdtrit(freedom, 0.5 + COVERAGE / 2)) * math.sqrt(variance)
