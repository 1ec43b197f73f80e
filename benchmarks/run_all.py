"""Every benchmark, one after the other; nothing else should run meanwhile.

python benchmarks/run_all.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "startup.py", "cost_table.py", "quickstart.py", "repeatability.py", "in_context.py", "memory.py", "energy_overhead.py",
    "exact_front.py", "replay_nb201.py", "progressive.py", "manas_regret.py", "coordinate_descent.py", "search_overhead.py",
)  # fmt: skip


def main() -> None:
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name(name))], check=True)


if __name__ == "__main__":
    main()
