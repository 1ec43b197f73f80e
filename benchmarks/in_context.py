"""Which says more about a whole network: its operators timed alone, or timed inside it by the runtime's own profile?

    python benchmarks/in_context.py [--seconds 0.6]

Nothing is fitted: per network the sum of its operators over its measured time. *Alone*: single-operator models by the protocol.
*In context*: onnxruntime's profile of the network, every node's kernel times over all runs, its least eighth averaged as the protocol does,
or its median. Sessions with and without the profile, and single operators, are run in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
from common import save, table
from rounds import SETTINGS, Rounds, light_networks, small_networks, value_ms

from device_profiles.items import background_items, plan_items
from device_profiles.plan import Plan, WholeNetwork, make_plan
from device_profiles.protocol import low_mean
from device_profiles.runtimes import RuntimeProcess

#: Runs of a network per visit, and visits, with the runtime's profile on.
RUNS, VISITS = 4, 24


class Profiled:
    """A session that keeps the time of every node of every run."""

    def __init__(self, network: WholeNetwork, folder: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / network.name.replace("/", "_"))
        self.session = onnxruntime.InferenceSession(network.model, options, providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(0)
        self.feeds = {value.name: rng.standard_normal(value.shape).astype(np.float32) for value in self.session.get_inputs()}

    def visit(self) -> None:
        for _ in range(RUNS):
            self.session.run(None, self.feeds)

    def sums_ms(self) -> tuple[float, float]:
        """The sum over nodes of their lowest times, and of their medians."""
        times: dict[str, list[float]] = defaultdict(list)
        for event in json.loads(Path(self.session.end_profiling()).read_text()):
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                times[event["name"]].append(event["dur"] / 1e3)
        kept = [np.array(values[RUNS:]) for values in times.values()]
        return sum(float(low_mean(v)) for v in kept), sum(float(np.median(v)) for v in kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.6, help="time per item")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, RuntimeProcess() as runtime:
        networks = [*light_networks(runtime), *small_networks(runtime, (32, 96, 224), 4)]
        profiled = [Profiled(network, folder) for network in networks]
        what = make_plan([network.executed for network in networks])
        items = [*plan_items(Plan(what.operators, tuple(networks)), SETTINGS), background_items()[0]]
        print(f"{len(what.operators)} operators, {len(networks)} networks")
        rounds = Rounds((runtime, items))
        for _ in range(VISITS):  # the rounds of the protocol come between the visits
            for session in profiled:
                session.visit()
            rounds.take(seconds / VISITS, least=1)
        rows = [_row(network, items, session) for network, session in zip(networks, profiled, strict=True)]
    print(table(rows))
    scores = [_score(name, np.array([float(row[name]) for row in rows])) for name in ("alone", "in context", "in context, median")]
    print(table(scores))
    save("in_context", {"rows": rows, "scores": scores})


def _row(network: WholeNetwork, items: list, session: Profiled) -> dict[str, object]:
    by_key = {item.key: item for item in items}
    whole, floor = value_ms(by_key[f"network/{network.name}"]), value_ms(by_key["floor"])
    alone = sum(count * (value_ms(by_key[op.key]) - floor / by_key[op.key].copies) for op, count in network.executed.counts())
    low, median = session.sums_ms()
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
