"""How well one ranking agrees with another, with intervals. No torch is imported here."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Resamples behind an interval, and random rankings behind the row of chance.
RESAMPLES = 2000
#: Ends of the 90 % interval.
ENDS = (0.05, 0.95)


def tau(a: npt.ArrayLike, b: npt.ArrayLike, weights: Floats | None = None) -> Floats:
    """Kendall's tau-b of two scores `(n,)`; NaN when either ranks nothing.

    Kendall, The treatment of ties in ranking problems, Biometrika 1945. `weights` `(m, n)` count how often each item occurs in each of `m`
    resamples; the result is then `(m,)`, otherwise `()`.
    """
    counts = np.ones((1, np.size(a))) if weights is None else weights
    signs_a, signs_b = (np.sign(np.subtract.outer(x, x)) for x in (np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)))

    def pairs(signs: Floats) -> Floats:
        """The sum over pairs for every resample."""
        found: Floats = np.einsum("mi,ij,mj->m", counts, signs, counts, optimize=True)
        return found

    with np.errstate(invalid="ignore"):
        result = pairs(signs_a * signs_b) / np.sqrt(pairs(signs_a**2) * pairs(signs_b**2))
    return result if weights is not None else result[0]


def tau_with_interval(a: npt.ArrayLike, b: npt.ArrayLike, rng: np.random.Generator) -> dict[str, float] | None:
    """Tau with the 90 % interval of a bootstrap over items, as `{"value", "low", "high"}`; None when there is nothing to rank."""
    value, n = float(tau(a, b)), np.size(a)
    if not np.isfinite(value):
        return None
    found = tau(a, b, rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64))
    low, high = np.quantile(found[np.isfinite(found)], ENDS)
    return {"value": value, "low": min(value, float(low)), "high": max(value, float(high))}


def tau_of_chance(truth: npt.ArrayLike, rng: np.random.Generator) -> dict[str, float] | None:
    """What random rankings of the same items reach: mean and 90 % interval of their tau."""
    scores = np.asarray(truth, dtype=np.float64)
    if not np.isfinite(tau(scores, np.arange(len(scores)))):
        return None
    found = np.array([tau(rng.permutation(len(scores)), scores) for _ in range(RESAMPLES // 4)])
    low, high = np.quantile(found, ENDS)
    return {"value": float(found.mean()), "low": float(low), "high": float(high)}


def mean_tau(rankings: list[Floats]) -> float | None:
    """The mean tau of all pairs of rankings, each `(n,)`; None when there are not two, or one ranks nothing."""
    found = [float(tau(a, b)) for i, a in enumerate(rankings) for b in rankings[:i]]
    return float(np.mean(found)) if found and np.isfinite(found).all() else None


def correlation(a: npt.ArrayLike, b: npt.ArrayLike) -> float | None:
    """Pearson's correlation; None when either does not vary."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return None if np.ptp(x) == 0 or np.ptp(y) == 0 else float(np.corrcoef(x, y)[0, 1])


def picked_rank(chosen_by: npt.ArrayLike, truth: npt.ArrayLike, n: int) -> int:
    """The best true rank (from 1) among the `n` that `chosen_by` puts first."""
    ranks: Any = np.argsort(np.argsort(-np.asarray(truth, dtype=np.float64), kind="stable")) + 1
    first = np.argsort(-np.asarray(chosen_by, dtype=np.float64), kind="stable")[:n]
    return int(ranks[first].min())
