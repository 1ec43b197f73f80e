"""Which says more about a whole network: its operators timed alone, or timed inside it by the runtime's own profile?

    python benchmarks/in_context.py [--seconds 0.6] [--models FOLDER]

Nothing is fitted: per network the sum of its operators over its measured time. *Alone*: single-operator models by the protocol.
*In context*: onnxruntime's profile of the network, every node's kernel times over all runs, the mean of their least sixteenth or their
median. The runs with the profile on come between the rounds of whole networks and single operators. `--models`: ONNX files to look at
besides the nine of the onnx package and twelve small ones, such as those of `zoo.py`.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import save, table
from rounds import SETTINGS, Rounds, file_networks, light_networks, small_networks, value_ms

from device_profiles.in_context import in_context
from device_profiles.items import Item, background_items, plan_items
from device_profiles.plan import Plan, WholeNetwork, make_plan
from device_profiles.protocol import low_mean
from device_profiles.runtimes import RuntimeProcess

#: Runs of a network per visit, and visits, with the runtime's profile on.
RUNS, VISITS = 4, 12

#: Networks whose operators are in memory at a time.
TOGETHER = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.6, help="time per item")
    parser.add_argument("--models", type=Path, help="folder of ONNX files")
    arguments = parser.parse_args()
    rows = []
    with RuntimeProcess(timeout_s=120) as runtime:
        networks = [*light_networks(runtime), *small_networks(runtime, (32, 96, 224), 4)]
        networks += [] if arguments.models is None else file_networks(runtime, arguments.models)
    for first in range(0, len(networks), TOGETHER):
        with RuntimeProcess(timeout_s=120) as runtime:
            rows += _rows(runtime, networks[first : first + TOGETHER], arguments.seconds)
    print(table(rows))
    scores = [_score(name, np.array([float(row[name]) for row in rows])) for name in ("alone", "in context", "in context, median")]
    print(table(scores))
    save("in_context", {"rows": rows, "scores": scores})


def _rows(runtime: RuntimeProcess, networks: Sequence[WholeNetwork], seconds: float) -> list[dict[str, object]]:
    """Networks and their operators, all in the same rounds."""
    nodes: list[dict[str, list[float]]] = [defaultdict(list) for _ in networks]
    what = make_plan([network.executed for network in networks])
    items = [*plan_items(Plan(what.operators, tuple(networks)), SETTINGS), background_items()[0]]
    print(f"{len(what.operators)} operators, {len(networks)} networks", flush=True)
    rounds = Rounds((runtime, items))
    for _ in range(VISITS):  # the rounds of the protocol come between the visits
        for network, times in zip(networks, nodes, strict=True):
            seen = Counter[str]()  # nodes that the runtime adds may have other names in every session
            for time in in_context(runtime, network, RUNS):
                key = time.node.operator.key
                times[f"{key} {seen[key]}"].extend(time.times_ms)
                seen[key] += 1
        rounds.take(seconds / VISITS, least=1)
    return [_row(network, items, times) for network, times in zip(networks, nodes, strict=True)]


def _row(network: WholeNetwork, items: list[Item], times: dict[str, list[float]]) -> dict[str, object]:
    by_key = {item.key: item for item in items}
    whole, floor = value_ms(by_key[f"network/{network.name}"]), value_ms(by_key["floor"])
    alone = sum(count * (value_ms(by_key[op.key]) - floor / by_key[op.key].copies) for op, count in network.executed.counts())
    low, median = (sum(float(of(np.array(values))) for values in times.values()) for of in (low_mean, np.median))
    return {
        "network": network.name[:40],
        "whole_ms": whole,
        "alone": alone / whole,
        "in context": low / whole,
        "in context, median": median / whole,
    }


def _score(name: str, ratios: np.ndarray) -> dict[str, object]:
    errors = np.abs(ratios - 1)
    return {
        "sum": name, "n": len(ratios), "within 5 %": float((errors < 0.05).mean()), "within 10 %": float((errors < 0.1).mean()),
        "MAPE": float(errors.mean()), "median ratio": float(np.median(ratios)), "spread (sd of log)": float(np.std(np.log(ratios))),
    }  # fmt: skip


if __name__ == "__main__":
    main()
