"""What the benchmarks share: repeated timing, the machine's description, a table, a JSON file."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from device_profiles.fingerprint import device_fingerprint

RESULTS = Path(__file__).parent / "results"


def interleaved(candidates: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds per call of each candidate, all of them once per repeat, so that a slow minute hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for call in candidates.values():
        call()
    for _ in range(repeats):
        for name, call in candidates.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(values: Sequence[float]) -> dict[str, float]:
    """Number, least, median and most."""
    return {"n": len(values), "min": min(values), "median": statistics.median(values), "max": max(values)}


def peak_rss_mb() -> float:
    """The largest resident size that this process has had, in megabytes of 2 ** 20 bytes.

    Not getrusage: its peak is inherited from the process that started this one.
    """
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of equal keys as text, numbers with four digits."""
    head = list(rows[0])
    cells = [head] + [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def save(name: str, content: dict[str, Any]) -> None:
    """Writes `benchmarks/results/<name>.json` with the machine and the versions beside the numbers."""
    RESULTS.mkdir(exist_ok=True)
    versions = {package: version(package) for package in ("numpy", "onnxruntime", "onnx")}
    content = {"machine": device_fingerprint(), "versions": versions, **content}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
