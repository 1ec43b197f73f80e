"""What `export` has written, as text for a terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from hwnas.search.budget import unfinished

if TYPE_CHECKING:
    from hwnas.export import Exported
    from hwnas.export.integer import Int8Report
    from hwnas.run import Run


def still_going(run: Run) -> list[str]:
    """A line where the search of a run has not ended: its front may still change."""
    done = unfinished(run.spec, sum(run.counts().values()))
    return [f"note: the search of {run.path} has not ended, {done} so far: its front may still change"] if done else []


def exported_text(exported: Exported) -> str:
    """The file with its proof, the program beside it, and what 8 bits change."""
    model = exported.model
    lines = [f"{model.path}: largest output difference {model.max_difference:.1e} over {model.images} images"]
    lines.append(f"  runs with onnxruntime and numpy alone: python {shlex.quote(str(exported.program))} IMAGE")
    return "\n".join(lines + ([] if exported.int8 is None else _int8_lines(exported.int8, model.bytes)))


def _int8_lines(report: Int8Report, plain_bytes: int) -> list[str]:
    lines = [f"{report.path}: calibrated on {report.calibrated_on}"]
    for split, scores in report.accuracy.items():
        change = scores.change
        points = f"{100 * change.value:+.1f} points, 90 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f}"
        lines.append(f"  {split + ' accuracy':20} {scores.before.value:>10.1%} -> {scores.after.value:<10.1%} {points}")
    before, after = report.before, report.after
    costs = [("latency", "ms", before.latency_ms, after.latency_ms), ("peak memory", "MB", before.memory_mb, after.memory_mb)]
    for name, unit, old, new in [*costs, ("energy", "mJ", before.energy_mj, after.energy_mj)]:
        if old is not None and new is not None and old.value > 0:
            worse = " (more, beyond the intervals)" if new.low > old.high else ""
            times = f"x {new.value / old.value:.2f}{worse}, measured on {report.measured_on}"
            lines.append(f"  {name:20} {f'{old.value:.4g} {unit}':>10} -> {f'{new.value:.4g} {unit}':<10} {times}")
        elif name == "peak memory" and after.latency_ms is not None:
            lines.append(f"  {name:20} not measured: the budget was too short")
    lines.append(f"  {'file':20} {f'{plain_bytes / 1e3:.1f} kB':>10} -> {report.bytes / 1e3:.1f} kB")
    return lines + [f"  {problem}" for problem in dict.fromkeys((before.problem, after.problem)) if problem]
