"""The scale on which models of an objective are fitted."""

from __future__ import annotations

import numpy as np

from hwnas.objectives import Floats, Objective


def straightened(objective: Objective, values: Floats) -> Floats:
    """The logarithm of how far `(n,)` minimised values are from the best possible one, where there is one; else as they are.

    Parts of a network multiply its error, and an error of 90 % is not to outweigh what tells 6 % from 7 %. A rising function of an
    objective leaves every front as it is.
    """
    best = min((objective.sign * bound for bound in objective.bounds or ()), default=-np.inf)
    return np.log(np.maximum(values - best, 1e-9)) if np.isfinite(best) else values
