"""Another version of onnxruntime on this machine: how wrong the old prices are, and what a few measurements make of them.

    python benchmarks/transfer_runtime.py --old 1.20.1 --budget 6m

The version --old is installed beside the installed one into --work and measured there (operators and networks of mobilenet-small) as
`hwnas profile` does. Then, with the installed version: `hwnas check` of that profile; the items that `device_transfer.next_items`
chooses; and networks that none of the two has seen, as the truth. Rows: the stale prices, the same times one common ratio, the
transferred predictor, a predictor fitted on the few measurements alone, and the measurements against themselves. Versions before
1.19 need an older numpy than others do. Nothing else should run meanwhile; takes
about twice --budget. --new is another version to take for the installed one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import save, table

from device_profiles import protocol
from device_profiles.durations import seconds
from device_profiles.operators import Operator
from device_profiles.plan import Plan
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.runtimes import RuntimeProcess
from hwnas import profiling, spaces
from predictors import NetworkPredictor, load
from predictors.device_transfer import next_items, transfer
from predictors.evaluation import metrics
from predictors.network_fit import network_terms

ITEMS, SEED = 10, 1


def environment(version: str | None, work: Path) -> dict[str, str]:
    """The environment of a process in which `import onnxruntime` gives this version; None: the installed one."""
    root = Path(__file__).resolve().parent.parent
    folders = [str(root)]
    if version:
        target = (work / f"onnxruntime-{version}").resolve()
        if not target.exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), f"onnxruntime=={version}"]
            subprocess.run(command, check=True)
        folders.insert(0, str(target))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def stage(name: str, version: str | None, options: argparse.Namespace) -> None:
    """Runs one stage of this script under a version of the runtime."""
    values = {"--work": options.work, "--budget": options.budget, "--tests": options.tests, "--resolution": options.resolution}
    command = [sys.executable, __file__, "--stage", name, *[str(text) for pair in values.items() for text in pair]]
    subprocess.run(command, check=True, env=environment(version, options.work))


def measure_old(options: argparse.Namespace) -> None:
    """Stage: the profile of the old version, and its predictor."""
    with RuntimeProcess("onnxruntime", 1) as process:
        plan = profiling.plan_space(spaces.load("mobilenet-small", resolution=options.resolution), process)
        profiling.profile(plan, options.work / "old.jsonl", process, budget_s=seconds(options.budget))
    NetworkPredictor().fit(DeviceProfile.read(options.work / "old.jsonl")).save(options.work / "old.json")


def measure_few(options: argparse.Namespace) -> None:
    """Stage: the items that say the most, by the new version."""
    networks = DeviceProfile.read(options.work / "old.jsonl").networks()
    chosen = next_items(load(options.work / "old.json"), ITEMS, networks)
    with RuntimeProcess("onnxruntime", 1) as process:
        plan = profiling.plan_space(spaces.load("mobilenet-small", resolution=options.resolution), process)
        names = {item.name for item in chosen if isinstance(item, NetworkMeasurement)}
        operators = tuple(item for item in chosen if isinstance(item, Operator))
        few = Plan(operators, tuple(network for network in plan.networks if network.name in names))
        profiling.profile(few, options.work / "few.jsonl", process, budget_s=60.0)


def measure_tests(options: argparse.Namespace) -> None:
    """Stage: networks that no predictor has seen, by the new version."""
    space = spaces.load("mobilenet-small", resolution=options.resolution)
    archs = space.sample(options.tests, np.random.default_rng(SEED))
    seen = {network.name for network in DeviceProfile.read(options.work / "old.jsonl").networks()}
    with RuntimeProcess("onnxruntime", 1) as process:
        networks = [profiling.whole_network(space, arch, process) for arch in archs if profiling.arch_name(space, arch) not in seen]
        profiling.profile(Plan((), tuple(networks)), options.work / "tests.jsonl", process, budget_s=seconds(options.budget))


def checked(options: argparse.Namespace) -> dict[str, Any]:
    """What `hwnas check` says of the old profile under the new version."""
    code = "import sys; sys.argv[0] = 'hwnas'; from hwnas.cli import main; main()"
    command = [sys.executable, "-c", code, "check", str(options.work / "old.jsonl"), "--budget", "60s", "--json"]
    start = time.monotonic()
    done = subprocess.run(command, env=environment(options.new, options.work), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout)
    kept = {name: found[name] for name in ("verdict", "ratio", "left", "differences", "reasons", "to_measure_again")}
    return {**kept, "seconds_with_start": time.monotonic() - start}


def rows(work: Path) -> list[dict[str, Any]]:
    """Errors of every predictor on the unseen networks."""
    old, few, tests = load(work / "old.json"), DeviceProfile.read(work / "few.jsonl"), DeviceProfile.read(work / "tests.jsonl").networks()
    start = time.monotonic()
    new = transfer(old, few)
    took = time.monotonic() - start
    ratios = [net.latency_ms.value / total(old, net)[0] for net in few.networks()]
    ratios += [m.latency_ms.value / old.predict_operators([m.operator])[0].value for m in few.operators()]
    common = float(np.median(ratios))
    truth = [net.latency_ms.value for net in tests]
    found = [row("stale prices", [total(old, net) for net in tests], truth)]
    found.append(row("times one common ratio", [tuple(common * ms for ms in total(old, net)) for net in tests], truth))
    found.append({**row("transferred", [total(new, net) for net in tests], truth)})
    if few.operators():
        found.append(row("fitted on the few alone", [total(NetworkPredictor().fit(few), net) for net in tests], truth))
    halves = [[protocol.estimate(net.samples_ms[part::2]).value for net in tests] for part in (0, 1)]
    found.append(row("repeat ceiling", [(ms, ms, ms) for ms in halves[0]], halves[1]))
    print(f"{len(few.operators())} operators and {len(few.networks())} networks measured again; transferring took {took:.1f} s")
    return found


def total(device: NetworkPredictor, net: NetworkMeasurement) -> tuple[float, ...]:
    """Price and ends of the interval of a measured network in ms."""
    terms, doubts = network_terms(device.pricer_, [net], {})
    q = device.doubt_.interval(float(device.head_.network_ms(terms[0])), device.head_.scale * float(doubts[0]))
    return q.value, q.low, q.high


def row(name: str, found: list[tuple[float, ...]], truth: list[float]) -> dict[str, Any]:
    """One line of the table."""
    value, low, high = np.array(found).T
    return {"prices": name, "networks": len(truth), **metrics(value, truth, low, high)}


STAGES: dict[str, Callable[[argparse.Namespace], None]] = {"old": measure_old, "few": measure_few, "tests": measure_tests}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="1.20.1", help="the version that was profiled")
    parser.add_argument("--new", help="the version that runs now, instead of the installed one")
    parser.add_argument("--budget", default="6m", help="time for the profile of the old version, and for the unseen networks")
    parser.add_argument("--tests", type=int, default=24, help="how many unseen networks")
    parser.add_argument("--resolution", type=int, default=32, help="side of the images")
    parser.add_argument("--work", type=Path, default=Path("runs/transfer_runtime"))
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.stage:
        STAGES[options.stage](options)
        return
    stage("old", options.old, options)
    check = checked(options)
    print(f"check: {check['verdict']} within {check['seconds_with_start']:.0f} s; {'; '.join(check['differences'] + check['reasons'])}")
    stage("few", options.new, options)
    stage("tests", options.new, options)
    found = rows(options.work)
    print(table(found))
    versions = {name: DeviceProfile.read(options.work / f"{name}.jsonl").header["runtime"] for name in ("old", "few")}
    save("transfer_runtime", {"old": versions["old"], "new": versions["few"], "check": check, "rows": found})


if __name__ == "__main__":
    main()
