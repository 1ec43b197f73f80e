"""Measures this machine for the library of profiles: onnxruntime with 1 and 2 threads, and openvino where it is installed.

python benchmarks/library.py --budget 10m

What is measured: the atlas, random networks of many families, so that any network can be priced. Nothing else should run meanwhile. A run
that was interrupted goes on: the unpacked profiles stay in --work. The packed ones go to --out, where `hwnas devices` finds them.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
from pathlib import Path
from typing import Any

import common

from device_profiles import library
from device_profiles.durations import seconds
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RUNTIMES, RuntimeProcess
from hwnas import profiling

SETTINGS = (("onnxruntime", 1), ("onnxruntime", 2), ("openvino", 1))


def measure(runtime: str, threads: int, work: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measures one runtime, packs the profile into the library, and returns a row of the table."""
    path = work / f"{runtime}-{threads}t.jsonl"
    with RuntimeProcess(runtime, threads) as process:
        outcome = profiling.profile(profiling.plan_atlas(process), path, process, budget_s=seconds(options.budget))
    name = DeviceProfile.read(path).device_name
    packed = out / library.packed_name(name)
    packed.parent.mkdir(parents=True, exist_ok=True)
    packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    profile = DeviceProfile.read(packed)
    noted = sum(bool(line.get("warnings")) for line in profile.lines)
    counts = {"operators": len(profile.operators()), "networks": len(profile.networks()), "failed": len(profile.failures())}
    size = {"kilobytes": packed.stat().st_size / 1e3, "seconds": outcome.seconds}
    return {"device": name, **counts, "with warnings": noted, "unfinished": outcome.unfinished, **size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", default="10m", help="time for each runtime, such as 10m")
    parser.add_argument("--only", choices=[f"{name}:{threads}" for name, threads in SETTINGS], help="one runtime and its threads")
    parser.add_argument("--work", type=Path, default=Path("runs/library"))
    parser.add_argument("--out", type=Path, default=Path(library.__file__).parent)
    options = parser.parse_args()
    rows = []
    for runtime, threads in SETTINGS:
        if options.only not in (None, f"{runtime}:{threads}"):
            continue
        if runtime not in RUNTIMES or importlib.util.find_spec(runtime) is None:
            print(f"{runtime} is not installed: left out", flush=True)
            continue
        rows.append(measure(runtime, threads, options.work, options.out, options))
        print(common.table(rows[-1:]), flush=True)
    if rows and options.out == parser.get_default("out"):
        common.save("library", {"rows": rows})


if __name__ == "__main__":
    main()
