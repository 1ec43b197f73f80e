"""How good prices are, beside how good a repeated measurement would be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device_profiles import protocol
from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.head import Doubt
from predictors.held_out import HeldOut, folds
from predictors.network import NetworkPredictor
from predictors.network_fit import floor_ms, left_out_heads, network_terms
from predictors.pricing import MIN_FOR_CHOICE

if TYPE_CHECKING:
    from device_profiles.profile import DeviceProfile, NetworkMeasurement, OperatorMeasurement

#: What is said about a set of predictions, in the order of the columns; None where it cannot be computed.
METRICS = ("within_5", "within_10", "mape", "p95", "spearman", "kendall", "coverage")

Row = dict[str, Any]


def metrics(
    predicted: npt.ArrayLike, measured: npt.ArrayLike, low: npt.ArrayLike | None = None, high: npt.ArrayLike | None = None
) -> dict[str, float | None]:
    """Errors of predictions `(n,)` relative to measurements `(n,)` > 0, as shares of 1.

    `within_5` and `within_10`: the share of errors of at most 5 and 10 %; `mape` their mean, `p95` their 95th percentile; `spearman`,
    `kendall`: rank correlation; `coverage`: the share of measurements within `low` and `high`. None where there is too little data.
    """
    p, m = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if not len(m):
        return dict.fromkeys(METRICS)
    # Rounding must not push an error of exactly 5 % over the edge.
    errors = np.round(np.abs(p / m - 1.0), 12)
    spearman, kendall = _ranks(p, m)
    return {
        "within_5": float(np.mean(errors <= 0.05)), "within_10": float(np.mean(errors <= 0.10)), "mape": float(errors.mean()),
        "p95": float(np.quantile(errors, 0.95)), "spearman": spearman, "kendall": kendall,
        "coverage": None if low is None or high is None else float(np.mean((np.asarray(low) <= m) & (m <= np.asarray(high)))),
    }  # fmt: skip


def _ranks(p: Vector, m: Vector) -> tuple[float | None, float | None]:
    if len(m) < 2 or len(np.unique(p)) < 2 or len(np.unique(m)) < 2:
        return None, None
    from scipy.stats import kendalltau, spearmanr  # slow to import, and only needed here

    return float(spearmanr(p, m).statistic), float(kendalltau(p, m).statistic)


def error_table(profile: DeviceProfile, predictor: NetworkPredictor | None = None) -> list[Row]:
    """What this profile's predictor gets wrong on operators and networks that it has not seen.

    One row per method: `what` ("operators" or "networks"), `method`, `n`, and `METRICS`. Operators are priced by models fitted without
    them (five parts). Networks are left out one at a time, the head fitted on the others; "unseen" rows price all their operators by
    models that did not see those. "repeat ceiling" compares the measurement with itself: the estimate from even rounds against that
    from odd ones. `predictor` is one already fitted on this profile. Raises InputError when the profile has no operator.
    """
    fitted = predictor if predictor is not None and hasattr(predictor.pricer_, "held_out_") else NetworkPredictor().fit(profile)
    held = fitted.pricer_.held_out_
    operators, networks = profile.operators(), profile.networks()
    rows = _operator_rows(held)
    rows.append(_ceiling("operators", operators))
    if networks:
        rows.extend(_network_rows(fitted, held, networks, floor_ms(profile)))
        rows.append(_ceiling("networks", networks))
    return rows


def _row(what: str, method: str, predicted: Vector, measured: Vector, low: Vector | None = None, high: Vector | None = None) -> Row:
    known = np.isfinite(predicted)
    ends = [None if end is None else end[known] for end in (low, high)]
    return {"what": what, "method": method, "n": int(known.sum()), **metrics(predicted[known], measured[known], *ends)}


def _operator_rows(held: HeldOut) -> list[Row]:
    rows = [
        _row("operators", method, held.prices[source], held.times)
        for method, source in (("base", "base"), ("lookup", "interpolated"), ("trees over base", "trees"))
    ]
    prices, widths = np.full((2, len(held.times)), np.nan)
    for part in folds(len(held.times)):
        # Model choice and width for every part come from the others, as they would for an operator nobody has measured.
        others = np.setdiff1d(np.arange(len(held.times)), part)
        if others.size:
            all_prices, all_widths = held.policy(MIN_FOR_CHOICE, learned_from=others)
            prices[part], widths[part] = all_prices[part], all_widths[part]
    factor = np.exp(widths)
    return [*rows, _row("operators", "combined", prices, held.times, prices / factor, prices * factor)]


def _network_rows(fitted: NetworkPredictor, held: HeldOut, networks: Sequence[NetworkMeasurement], floor: float) -> list[Row]:
    measured = np.array([net.latency_ms.value for net in networks])
    combined, _ = held.policy(MIN_FOR_CHOICE)
    unseen = {"base only": held.prices["base"], "trees over base": held.prices["trees"], "unseen operators, combined": combined}
    rows = []
    for method, prices in unseen.items():
        if np.isfinite(prices).all():
            instead = {op.key: (price, 0.0) for op, price in zip(fitted.pricer_.operators_, prices.tolist(), strict=True)}
            terms = network_terms(fitted.pricer_, networks, instead)[0]
            rows.append(_row("networks", f"{method}, no head", terms[:, 0], measured))
            rows.append(_row("networks", f"{method}, head", _with_head(terms, measured, floor), measured))
    terms, doubts = network_terms(fitted.pricer_, networks, {})
    rows.append(_row("networks", "measured operators, no head", terms[:, 0], measured))
    totals = _with_head(terms, measured, floor)
    factor = 1.0 + _left_out_widths(fitted, totals, measured, doubts)
    return [*rows, _row("networks", "measured operators, head", totals, measured, totals / factor, totals * factor)]


def _with_head(terms: Matrix, measured: Vector, floor: float) -> Vector:
    """Every network by a head fitted on the others, `(n,)`."""
    heads = left_out_heads(terms, measured, floor)
    return np.array([float(head.network_ms(row)) for head, row in zip(heads, terms, strict=True)])


def _left_out_widths(fitted: NetworkPredictor, totals: Vector, measured: Vector, doubts: Vector) -> Vector:
    """The relative half-width of every network's interval, learned from the errors of the others, `(n,)`."""
    errors, halves = np.log(totals / measured), fitted.head_.scale * doubts / totals
    widths = np.zeros(len(totals))
    for i in range(len(totals)):
        doubt = Doubt.fit(np.delete(errors, i), np.delete(halves, i), fitted.doubt_.share)
        widths[i] = float(doubt.widths(1.0, halves[i]))
    return widths


def _ceiling(what: str, items: Sequence[OperatorMeasurement] | Sequence[NetworkMeasurement]) -> Row:
    twice = [item.samples_ms for item in items if len(item.samples_ms) >= 2]
    even = np.array([protocol.estimate(samples[::2]).value for samples in twice])
    odd = np.array([protocol.estimate(samples[1::2]).value for samples in twice])
    return _row(what, "repeat ceiling", even, odd)


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of `error_table` as text for a terminal, one block per `what`."""
    head = ("", "n", "within 5 %", "within 10 %", "MAPE", "p95", "Spearman", "Kendall", "90 % covers")
    lines: list[tuple[str, ...]] = []
    for what in dict.fromkeys(str(row["what"]) for row in rows):
        lines.append((what, *head[1:]))
        lines.extend((f"  {row['method']}", str(row["n"]), *_texts(row)) for row in rows if row["what"] == what)
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))] if lines else []
    return "\n".join(
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _texts(row: Mapping[str, Any]) -> list[str]:
    texts = []
    for name in METRICS:
        value = row[name]
        if value is None or not math.isfinite(value):
            texts.append("-")
        else:
            texts.append(f"{value:.3f}" if name in ("spearman", "kendall") else f"{value:.1%}")
    return texts
