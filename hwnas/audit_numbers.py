"""What an audit concludes from the accuracies of the same architectures with shared and with own weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hwnas.ranking import Floats, correlation, mean_tau, picked_rank, tau, tau_of_chance, tau_with_interval

#: The share of architectures, by the truth, that a search is after, and the fewest that can be ranked.
TOP, FEWEST = 0.2, 3


def conclusions(
    rows: Sequence[dict[str, Any]], alone: Floats, epochs: Sequence[Floats], supernets: Sequence[Floats], rng: np.random.Generator
) -> dict[str, Any]:
    """The numbers of an audit, as JSON.

    `rows` have `macs`, `params`, `stratum` and `inherited` accuracy of n architectures; `alone` `(n, seeds)` are their accuracies when
    trained on their own; `epochs` and `supernets` hold the accuracies `(n,)` that they inherit after the last epochs, and from
    super-networks with other seeds. The truth is the mean of `alone` over seeds. Every tau is Kendall's tau-b with a 90 % bootstrap
    interval; None where there is nothing to rank.
    """
    inherited = np.array([row["inherited"]["value"] for row in rows])
    truth = alone.mean(axis=1)
    return {
        "architectures": [row | {"alone": seeds} for row, seeds in zip(rows, alone.tolist(), strict=True)],
        "ranking": _ranking(rows, inherited, truth, alone, rng),
        "gap": _gap(rows, truth - inherited),
        "selection": _selection(inherited, truth),
        "noise": None if alone.shape[1] < 2 else float(np.sqrt(alone.var(axis=1, ddof=1).mean())),
        "stability": {
            "epochs": _stability(list(epochs), truth),
            "seeds": _stability([inherited, *supernets], truth),
        },
    }


def _ranking(rows: Sequence[dict[str, Any]], inherited: Floats, truth: Floats, alone: Floats, rng: np.random.Generator) -> dict[str, Any]:
    strata = np.array([row["stratum"] for row in rows])
    top = np.argsort(-truth, kind="stable")[: max(FEWEST, math.ceil(TOP * len(truth)))]
    return {
        "tau": tau_with_interval(inherited, truth, rng),
        "top": {"n": len(top), "tau": tau_with_interval(inherited[top], truth[top], rng)},
        "strata": [_stratum(rows, np.flatnonzero(strata == s), inherited, truth, rng) for s in np.unique(strata)],
        "chance": tau_of_chance(truth, rng),
        "ceiling": None if alone.shape[1] < 2 else tau_with_interval(alone[:, 0], alone[:, 1:].mean(axis=1), rng),
    }


def _stratum(rows: Sequence[dict[str, Any]], members: Any, inherited: Floats, truth: Floats, rng: np.random.Generator) -> dict[str, Any]:
    macs = [rows[i]["macs"] for i in members]
    found = tau_with_interval(inherited[members], truth[members], rng)
    return {"n": len(members), "macs_low": min(macs), "macs_high": max(macs), "tau": found}


def _gap(rows: Sequence[dict[str, Any]], gap: Floats) -> dict[str, Any]:
    """Own minus inherited accuracy; a correlation above 0 means that large architectures are the ones held back by sharing."""
    size = {name: np.log([row[name] for row in rows]) for name in ("macs", "params")}
    return {
        "mean": float(gap.mean()),
        "std": float(gap.std(ddof=1)),
        "correlation": {name: correlation(gap, values) for name, values in size.items()},
    }


def _selection(inherited: Floats, truth: Floats) -> dict[str, Any]:
    """What choosing by inherited accuracy costs: true accuracy lost by the first choice, best true rank among the first ones."""
    chosen = int(np.argmax(inherited))
    return {
        "regret": float(truth.max() - truth[chosen]),
        "rank_of_first": picked_rank(inherited, truth, 1),
        "rank_of_three": picked_rank(inherited, truth, 3),
    }


def _stability(rankings: list[Floats], truth: Floats) -> dict[str, Any]:
    """How well rankings agree with each other, and each with the truth."""
    with_truth = [float(tau(ranking, truth)) for ranking in rankings]
    return {"n": len(rankings), "tau": mean_tau(rankings), "truth_tau": [t if math.isfinite(t) else None for t in with_truth]}
