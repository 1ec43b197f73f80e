"""How fast a compiled space prices encoded architectures, and whether it agrees with pricing the executed graph of each.

    python benchmarks/cost_table.py [--profile P.jsonl]

Beside it: the same sums by a plain dictionary lookup per part, which is what most tools do. One core.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import interleaved, save, spread, table

from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RuntimeProcess
from hwnas import profiling, spaces
from predictors import NetworkPredictor

BATCH, REPEATS, CHECKED = 1_000_000, 15, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=Path, help="a profile of mobilenet-small; measured in 40 s when not given")
    arguments = parser.parse_args()
    space = spaces.load("mobilenet-small", classes=10, resolution=32, channels=1)
    profile = arguments.profile or Path(tempfile.mkdtemp()) / "profile.jsonl"
    if not profile.exists():
        with RuntimeProcess() as runtime:
            profiling.profile(profiling.plan_space(space, runtime), profile, runtime, budget_s=40)
    device = NetworkPredictor().fit(DeviceProfile.read(profile))
    with device.lowering() as lower:
        compiled = device.compile(space, lower)
        deviation = compiled.check(lower, CHECKED, np.random.default_rng(1))
    archs = space.sample(BATCH, np.random.default_rng(0))
    few = archs[:20_000]
    lookup: list[dict[tuple[int, ...], float]] = [{} for _ in space.parts]
    for part, entries in zip(space.parts, lookup, strict=True):
        for arch in few:
            entries.setdefault(tuple(arch[list(part.choices)].tolist()), 0.001)

    def by_dictionary() -> list[float]:
        columns = [list(part.choices) for part in space.parts]
        return [sum(e[tuple(a[c].tolist())] for e, c in zip(lookup, columns, strict=True)) for a in few]

    seconds = interleaved({"cost table": lambda: compiled.price(archs), "dictionary per part": by_dictionary}, REPEATS)
    rows = []
    for name, count in (("cost table", BATCH), ("dictionary per part", len(few))):
        rates = [count / s for s in seconds[name]]
        rows.append({"method": name, "architectures per second (median)": int(spread(rates)["median"]), **spread(rates)})
    print(table(rows))
    print(f"largest relative deviation from the graph path over {CHECKED} architectures: {deviation:.2e} (wanted: <= 1e-3)")
    save("cost_table", {"batch": BATCH, "rows": rows, "checked": CHECKED, "largest_deviation": deviation})


if __name__ == "__main__":
    main()
