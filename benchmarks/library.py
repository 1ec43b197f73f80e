"""Measures this machine for the library of profiles: onnxruntime with 1 and 2 threads, and openvino where it is installed.

python benchmarks/library.py --budget 10m

What is measured: the operators that the networks of mobilenet-small at 32 x 32 execute and some of them whole, and the same for some of
the nine CNNs of the onnx package, evenly spaced from the cheapest to the dearest. Nothing else should run meanwhile. A run that was
interrupted goes on: the unpacked profiles stay in --work. The packed ones go to --out, where `hwnas devices` finds them.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
from itertools import zip_longest
from pathlib import Path
from typing import Any

import common

from device_profiles import library
from device_profiles.durations import seconds
from device_profiles.plan import Plan, spread
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RUNTIMES, RuntimeProcess
from hwnas import profiling, spaces

SETTINGS = (("onnxruntime", 1), ("onnxruntime", 2), ("openvino", 1))


def plan(process: RuntimeProcess, files: int, resolution: int) -> Plan:
    """The plans of the space and of the files taken in turn, so that a short budget measures some of both."""
    import onnx

    light = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))
    of_space = profiling.plan_space(spaces.load("mobilenet-small", resolution=resolution), process)
    of_files = profiling.plan_files(light, process)
    networks = spread(of_files.networks, files)
    wanted = {op.key for network in networks for op in network.executed.operators}
    others = [op for op in of_files.operators if op.key in wanted]
    turns = [op for pair in zip_longest(of_space.operators, others) for op in pair if op is not None]
    return Plan(tuple({op.key: op for op in turns}.values()), (*of_space.networks, *networks))


def measure(runtime: str, threads: int, work: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measures one runtime, packs the profile into the library, and returns a row of the table."""
    path = work / f"{runtime}-{threads}t.jsonl"
    with RuntimeProcess(runtime, threads) as process:
        outcome = profiling.profile(plan(process, options.files, options.resolution), path, process, budget_s=seconds(options.budget))
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
    parser.add_argument("--files", type=int, default=5, help="how many of the nine CNNs")
    parser.add_argument("--resolution", type=int, default=32, help="side of the images of the space")
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
