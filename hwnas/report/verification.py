"""Reading what `hwnas verify` wrote, and saying it in a sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity
from hwnas.report.formats import percent, plural
from hwnas.report.model import Pair, Verification

#: The scores of verify.json, with how they are called; shares are shown in percent.
SHARES = {
    "within_5": "within 5 %", "within_10": "within 10 %", "coverage": "inside the predicted 90 % interval",
    "mape": "mean absolute error (MAPE)", "front_regret": "front regret (hypervolume lost)",
}  # fmt: skip
RANKS = {"spearman": "rank correlation (Spearman)", "kendall": "rank correlation (Kendall)"}


def read_verification(path: Path) -> Verification | None:
    """The content of a verify.json, or None when there is none.

    Raises InputError when the file cannot be understood; the page then says so instead of showing half of it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    try:
        data = json.loads(text)
        return Verification(
            passed=data["verdict"] == "pass",
            reasons=_texts(data.get("reasons")),
            pairs=[_pair(point) for point in data.get("points") or []],
            scores=_numbers(data),
            ceiling=_numbers(data.get("repeat_ceiling") or {}),
            violated=_texts(data.get("violated")) + [f"{text}; it has left the front" for text in _texts(data.get("dropped"))],
            drift=None if data.get("drift") is None else Quantity.from_json(data["drift"]),
            searched=_numbers(data.get("as_searched") or {}) if data.get("corrected") else {},
            rounds=len(data.get("iterations") or [None]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is no verification: {error}") from error


def _pair(point: Mapping[str, Any]) -> Pair:
    architecture = tuple(int(i) for i in point["architecture"])
    return Pair(architecture, str(point["role"]), Quantity.from_json(point["predicted_ms"]), Quantity.from_json(point["measured_ms"]))


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    found = {name: data.get(name) for name in (*SHARES, *RANKS)}
    return {n: float(v) for n, v in found.items() if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)}


def _texts(value: Any) -> list[str]:
    """A list of readable texts from a list of texts or records."""
    items: Sequence[Any] = value if isinstance(value, list) else [] if value is None else [value]
    return [_violation(item) if isinstance(item, Mapping) else str(item) for item in items]


def _violation(item: Mapping[str, Any]) -> str:
    if not {"constraint", "measured_ms", "architecture"} <= set(item):
        return json.dumps(dict(item), ensure_ascii=False)
    return f"{item['constraint']}: {float(item['measured_ms']):.4g} ms measured, architecture {' '.join(map(str, item['architecture']))}"


def verdict(verification: Verification | None, points: int, recorded: bool = False) -> tuple[str, str]:
    """The state (`pass`, `fail`, `open`) of a front of so many points, and what it means, in plain words; `recorded` as in ReportData."""
    if recorded:
        return "open", "All numbers on this page come from a recorded table: nothing was predicted, timed or trained for it."
    if verification is None:
        return "open", "Not verified yet: all costs on this page are predictions."
    front = [pair for pair in verification.pairs if pair.role == "front"]
    close = sum(abs(pair.error) <= 0.1 for pair in front)
    some = f"all {points}" if len(front) == points > 1 else f"{len(front)} of {points}"
    what = f": {some} front points re-measured on the device, {close} of {len(front)} within 10 % of the prediction" if front else ""
    if verification.searched:
        what += f"; the predictor was corrected in between, in {plural(verification.rounds, 'round')} of measuring"
    return ("pass", f"Verified{what}.") if verification.passed else ("fail", f"Verification failed{what}.")


def score_rows(verification: Verification) -> list[tuple[str, str, str]]:
    """Name, this run, and the same score of measuring twice (the best any prediction can reach)."""
    rows = [(title, percent(verification.scores.get(name)), percent(verification.ceiling.get(name))) for name, title in SHARES.items()]
    ranks = [(title, _rank(verification.scores.get(name)), _rank(verification.ceiling.get(name))) for name, title in RANKS.items()]
    order = rows[:-1] + ranks + rows[-1:]
    for name in ("within_10", "mape", "front_regret"):
        if name in verification.searched:
            order.append((f"{SHARES[name]}, as the search predicted", percent(verification.searched[name]), "–"))
    if verification.drift is not None:
        order.append(("time of the canaries against the profile", f"{verification.drift.value:.3f}x", "1.000x"))
    return [row for row in order if row[1] != "–"]


def _rank(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
