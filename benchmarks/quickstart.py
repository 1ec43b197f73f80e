"""The whole walk, several times, each in a fresh folder: how long it takes, what it finds, how well its front holds.

    python benchmarks/quickstart.py [--repeats 3]

The baseline in the same run is random search with as many evaluations (it is part of every walk).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import save, spread, table

from hwnas.run import Run


def one(folder: Path, seed: int) -> dict[str, Any]:
    script = str(Path(sys.executable).with_name("hwnas"))
    command = [script, "quickstart", "--out", str(folder), "--seed", str(seed), "--json"]
    start = time.monotonic()
    # The peak memory of the largest process is read from the kernel's own accounting.
    result = subprocess.run(["/usr/bin/env", sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=True)
    seconds = time.monotonic() - start
    summary = json.loads(result.stdout.splitlines()[-1])
    run, baseline = Run.open(folder / "run"), Run.open(folder / "run" / "baseline")
    points = list(run.front())
    tests = [point.extras["test_accuracy"].value for point in points]
    phases = {name: round(s, 1) for name, s, _ in run.phases()}
    return {
        "seed": seed, "seconds": seconds, "peak_mb": float(result.stderr.splitlines()[-1]), "front": len(points), "span": summary["span"],
        "best_test": max(tests), "worst_test": min(tests), "within_10": summary["within_10"], "spearman": summary["spearman"],
        "verdict": summary["verdict"], "hypervolume": float(run.hypervolume_course()[1][-1]),
        "hypervolume_random": float(baseline.hypervolume_course()[1][-1]), "phases": phases,
    }  # fmt: skip


_MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, file=sys.stderr)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rows = [one(Path(tempfile.mkdtemp(prefix="hwnas-bench-")), seed) for seed in range(repeats)]
    print(table([{k: v for k, v in row.items() if k != "phases"} for row in rows]))
    for row in rows:
        print(row["phases"])
    print("seconds:", spread([row["seconds"] for row in rows]))
    save("quickstart", {"rows": rows})


if __name__ == "__main__":
    main()
