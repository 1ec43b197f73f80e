"""What lies next to a front: architectures one choice away, in order of how little the front dominates them."""

from __future__ import annotations

import numpy as np

from hwnas.objectives import Floats
from hwnas.spaces.base import Archs, SearchSpace

#: Neighbours compared with the front at a time.
CHUNK = 4096


def one_choice_away(space: SearchSpace, archs: Archs) -> Archs:
    """Every different canonical architecture that differs from one of `(k, n_choices)` in one choice, in lexicographic order."""
    limits = space.cardinalities.tolist()
    steps = np.array([(c, v) for c, n in enumerate(limits) for v in range(n)]).reshape(-1, 2)
    around = np.repeat(archs, len(steps), axis=0)
    around[np.arange(len(around)), np.tile(steps[:, 0], len(archs))] = np.tile(steps[:, 1], len(archs))
    return np.unique(space.canonical(around), axis=0) if len(around) else archs


def margins(values: Floats, front: Floats) -> Floats:
    """How far each of `(n, m)` minimised values lies behind a `(k, m)` front, shape `(n,)`, in parts of the range of the front.

    The smallest epsilon for which no point of the front is better by more than that in every objective; negative for what is beyond it.
    """
    span = np.ptp(front, axis=0)
    scale = np.where(span > 0, span, 1.0)
    parts = [((values[i : i + CHUNK, None, :] - front[None]) / scale).min(axis=2).max(axis=1) for i in range(0, len(values), CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0)
