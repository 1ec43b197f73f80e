"""What `whole_loop.py` concludes from its candidates: rows for its tables, all of them plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
from common import spread
from equal_latency import Candidate, at_limits, common_range, grid, mean_gain, speedup

WAYS = ("hwnas", "macs", "family")
WEIGHTS = ("trained", "inherited")
#: What each way pays for, besides the training of its candidates.
PAYS: dict[str, tuple[str, ...]] = {
    "hwnas": ("profile", "fit", "price the space", "train", "audit", "search hwnas", "verify", "export"),
    "macs": ("train", "search macs"),
    "family": (),
}

Row = dict[str, Any]


def offers(rows: Sequence[Row], seed: int, weights: str) -> dict[str, list[Candidate]]:
    """The candidates of every way of one seed, with inherited weights or trained from scratch."""
    found: dict[str, list[Candidate]] = {way: [] for way in WAYS}
    for row in rows:
        if row["seed"] == seed:
            found[row["way"]].append(Candidate(row["measured_ms"], row[f"{weights}_validation"], row[f"{weights}_test"]))
    return found


def gains(rows: Sequence[Row], seeds: int) -> list[Row]:
    """hwnas against each of the others: points of test accuracy at equal latency, and times as fast at equal accuracy, over seeds."""
    return [_gain(rows, seeds, weights, rival) for weights in WEIGHTS for rival in WAYS[1:]]


def _gain(rows: Sequence[Row], seeds: int, weights: str, rival: str) -> Row:
    ways = [offers(rows, seed, weights) for seed in range(seeds)]
    times = [speedup(way["hwnas"], way[rival]) for way in ways]
    ratios = [ratio for ratio, _, _ in times if ratio is not None]
    points = spread([100 * mean_gain(way["hwnas"], way[rival]) for way in ways])
    faster = spread(ratios) if ratios else dict.fromkeys(("min", "median", "max"))
    both = {f"{name}_{end}": values[end] for name, values in (("points", points), ("faster", faster)) for end in ("min", "median", "max")}
    reached = f"{sum(t[1] for t in times)} of {sum(t[2] for t in times)}"
    return {"weights": weights, "against": rival, "seeds": seeds, **both, "reached": reached}


def levels(rows: Sequence[Row], seeds: int) -> list[Row]:
    """Test accuracy in percent of what every way offers within some limits, trained from scratch, the mean over seeds."""
    ways = [offers(rows, seed, "trained") for seed in range(seeds)]
    limits = grid([common_range(list(way.values())) for way in ways])
    tables = [at_limits(way, limits) for way in ways]
    return [{"limit_ms": limit, **{way: 100 * mean(t[i][way] for t in tables) for way in WAYS}} for i, limit in enumerate(limits)]


def minutes(seeds: Sequence[Mapping[str, Any]], alone: str) -> list[Row]:
    """Minutes by phase and way, the mean over seeds; a profile serves all seeds, and every seed is charged with all of it.

    `alone` begins the names of the phases in which candidates are trained; `candidates` of a seed are these names by way.
    """
    rows: list[Row] = []
    for name in (*PAYS["hwnas"], "search macs"):
        spent = mean(found["seconds"].get(name, 0.0) for found in seeds) / 60
        rows.append({"phase": name, **{way: spent if name in PAYS[way] else 0.0 for way in WAYS}})
    trained = {way: mean(sum(found["seconds"][alone + name] for name in found["candidates"][way]) for found in seeds) / 60 for way in WAYS}
    rows.append({"phase": "training of candidates", **trained})
    return [*rows, {"phase": "all", **{way: sum(row[way] for row in rows) for way in WAYS}}]


def agreement(rows: Sequence[Row]) -> list[Row]:
    """How well the predictor and MACs order the candidates by measured time, and how far the predictor is off."""
    from predictors.evaluation import metrics

    once = list({row["architecture"]: row for row in rows}.values())
    truth = np.array([row["measured_ms"] for row in once])
    result = []
    for name in ("predicted_ms", "macs"):
        scores = metrics(np.array([row[name] for row in once]), truth)
        off = {key: scores[key] if name == "predicted_ms" else None for key in ("within_5", "within_10", "mape")}
        result.append({"by": name, "networks": len(once), "spearman": scores["spearman"], "kendall": scores["kendall"], **off})
    return result
