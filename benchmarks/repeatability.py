"""Measuring twice: how well do two campaigns of the same things agree?

    python benchmarks/repeatability.py [--seconds 0.6]

Three ways to time the same operators and networks on onnxruntime, one thread, each way twice: the protocol of hwnas (two campaigns in two
processes of their own, their rounds interleaved; once more without knowing which calls were quiet), a loop of 100 calls of which the
median is taken, and `torch.utils.benchmark` (`blocked_autorange`, its median). The loops run through all items, then through all of them
again. A second line of each loop gets as much time per item as hwnas does. CV: standard deviation of the two over their mean.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnxruntime
from common import save, table
from rounds import SETTINGS, Rounds, light_networks, small_networks, value_ms

from device_profiles.items import plan_items
from device_profiles.plan import Plan, make_plan
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess

#: Networks from a tenth of a millisecond to tens.
LIGHT = ("squeezenet", "shufflenet", "inception_v1", "densenet121", "resnet50", "bvlc_alexnet", "zfnet512")
OPERATORS = 24

Pair = dict[str, tuple[float, float]]
Call = Callable[[], object]


def plan(runtime: RuntimeProcess) -> Plan:
    """The networks, and a spread of the operators that they execute."""
    networks = [*small_networks(runtime, (32, 96, 224), 4), *light_networks(runtime, LIGHT)]
    every = make_plan([network.executed for network in networks]).operators
    return Plan(tuple(every[i] for i in np.linspace(0, len(every) - 1, OPERATORS).astype(int)), tuple(networks))


def ours(what: Plan, seconds: float, settings: Protocol = SETTINGS, least: int = 24) -> Pair:
    """Two campaigns in two processes, block by block in turn."""
    campaigns = [plan_items(what, SETTINGS) for _ in range(2)]
    with RuntimeProcess() as first, RuntimeProcess() as second:
        Rounds((first, campaigns[0]), (second, campaigns[1]), settings=settings).take(seconds, least)
    return {a.key: (value_ms(a), value_ms(b)) for a, b in zip(*campaigns, strict=True)}


def loops(what: Plan, seconds: float) -> dict[str, Pair]:
    """The stopwatches, in this process, on sessions made as hwnas makes them."""
    from torch.utils.benchmark import Timer

    items = plan_items(what, SETTINGS)
    calls = {item.key: (_call(item.model(), item.isolated), item.copies) for item in items}
    ways: dict[str, Callable[[Call], float]] = {
        "median of 100 calls": lambda call: _median(call, 100, 0.0),
        "median of calls, same time": lambda call: _median(call, 3, seconds),
        "torch.utils.benchmark": lambda call: Timer("call()", globals={"call": call}).blocked_autorange().median * 1e3,
        "torch.utils.benchmark, same time": lambda call: (
            Timer("call()", globals={"call": call}).blocked_autorange(min_run_time=seconds).median * 1e3
        ),
    }
    found: dict[str, Pair] = {}
    for name, way in ways.items():
        twice = [{key: way(call) / copies for key, (call, copies) in calls.items()} for _ in range(2)]
        found[name] = {key: (twice[0][key], twice[1][key]) for key in calls}
    return found


def _call(model: bytes, isolated: bool) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_DISABLE_ALL if isolated else levels.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds = {value.name: rng.standard_normal(value.shape).astype(np.float32) for value in session.get_inputs()}
    return lambda: session.run(None, feeds)


def _median(call: Call, least: int, seconds: float) -> float:
    times: list[int] = []
    end = time.perf_counter() + seconds
    call()
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times)) / 1e6


def row(name: str, pairs: Pair) -> dict[str, object]:
    """The scores of one way."""
    first, second = (np.array([pair[i] for pair in pairs.values()]) for i in range(2))
    apart, network = np.abs(np.log(first / second)), np.array([key.startswith("network/") for key in pairs])
    variation = np.abs(first - second) / (first + second) * math.sqrt(2)
    large = network & (first > 1)
    return {
        "way": name, "operators": int((~network).sum()), "CV median": float(np.median(variation[~network])),
        "CV p95": float(np.quantile(variation[~network], 0.95)), "networks > 1 ms": int(large.sum()),
        "CV median of these": float(np.median(variation[large])), "within 5 %": float((apart[large] < math.log(1.05)).mean()),
        "all networks within 5 %": float((apart[network] < math.log(1.05)).mean()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.6, help="time per item and campaign")
    seconds = parser.parse_args().seconds
    with RuntimeProcess() as runtime:
        what = plan(runtime)
    start = time.monotonic()
    found = {"hwnas": ours(what, seconds)}
    spent = time.monotonic() - start
    each = spent / 2 / (len(what.operators) + len(what.networks))
    found["hwnas, without probes, same time"] = ours(what, each, replace(SETTINGS, quiet=0.0), least=3)
    found |= loops(what, each)
    rows = [row(name, pairs) for name, pairs in found.items()]
    print(table(rows))
    print(f"hwnas took {spent:.0f} s for two campaigns")
    save("repeatability", {"seconds": spent, "rows": rows, "pairs": found})


if __name__ == "__main__":
    main()
