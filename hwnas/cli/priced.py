"""A prediction as text for a terminal."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from predictors import Prediction

#: Rows of `--explain` with less than this share of the time are summed up in one line.
SMALL_SHARE = 0.002


def prediction_text(prediction: Prediction, explain: bool) -> str:
    """The price with its interval, what it rests on, and with `explain` one row per executed operator, the most expensive first."""
    latency, memory = prediction.latency_ms, prediction.memory_mb
    lines = [
        f"latency  {milliseconds(latency.value)}   90 % interval {milliseconds(latency.low)} to {milliseconds(latency.high)}",
        f"memory   {memory.value:.3g} MB (weights and peak activations, modelled)",
        f"work     {prediction.macs / 1e6:,.4g} M MACs, {prediction.params / 1e6:,.4g} M parameters",
        f"executes {len(prediction.nodes)} operators",
        "based on " + ", ".join(f"{source} {share:.0%}" for source, share in prediction.sources().items()),
    ]
    lines += [f"note     {note}" for note in prediction.notes()]
    if explain:
        lines += ["", *explanation(prediction.explain(), latency.value)]
    return "\n".join(lines)


def explanation(rows: list[dict[str, Any]], total_ms: float) -> list[str]:
    """The rows of `Prediction.explain` as aligned lines that add up to the total."""
    ordered = sorted(rows, key=lambda row: -row["latency_ms"])
    shown = [row for row in ordered if row["share"] >= SMALL_SHARE]
    rest = [row for row in ordered if row["share"] < SMALL_SHARE]
    width = max(20, shutil.get_terminal_size((120, 24)).columns - 64)
    lines = [f"{'share':>6} {'latency':>11} {'90 % interval':>23}  {'source':12} operator"]
    for row in shown:
        interval = f"{milliseconds(row['low_ms'])} to {milliseconds(row['high_ms'])}"
        name = f"{row['kind']} {row['node']}".strip()
        price = f"{row['share']:6.1%} {milliseconds(row['latency_ms']):>11} {interval:>23}"
        lines.append(f"{price}  {row['source']:12} {_shortened(name, width)}")
    if rest:
        share, sum_ms = sum(row["share"] for row in rest), sum(row["latency_ms"] for row in rest)
        lines.append(f"{share:6.1%} {milliseconds(sum_ms):>11} {'':>23}  {'':12} {len(rest)} operators of less than {SMALL_SHARE:.1%} each")
    lines.append(f"{1:6.1%} {milliseconds(total_ms):>11}")
    return lines


def milliseconds(value: float) -> str:
    """A latency with four significant digits, in ms."""
    digits = 4 if value < 0.1 else 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:.{digits}f} ms"


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width // 2 - 1]}…{text[-(width - width // 2) :]}"
