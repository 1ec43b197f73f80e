"""What a short budget buys: predictors fitted on the first part of a profile, in three orders of its operators.

    hwnas profile --space mobilenet-small --channels 1 --out P.jsonl && python benchmarks/plan_order.py P.jsonl

For each share of a finished profile the first operators of each order and some of its networks are kept, a predictor is fitted on them, and
the networks that it has not seen are priced. Nothing is timed. `time`: most guessed time over all networks first; `share`: most guessed
share of a network's time; `plan`: what `device_profiles.plan` does, the share times what is left to learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from common import save, table

from device_profiles.operators import Operator
from device_profiles.plan import make_plan
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.protocol import guess_ms
from predictors import NetworkPredictor
from predictors.network_fit import network_terms

SHARES, REPEATS = (0.1, 0.15, 0.2, 0.35, 0.6, 1.0), 8


class Seen:
    """A measured network where a plan expects an executed one."""

    def __init__(self, network: NetworkMeasurement) -> None:
        self.network = network

    def counts(self) -> list[tuple[Operator, int]]:
        return self.network.operators


def orders(networks: Sequence[NetworkMeasurement]) -> dict[str, list[str]]:
    """Keys of operators in the three orders."""
    time, share = dict[str, float](), dict[str, float]()
    for network in networks:
        total = sum(count * guess_ms(op) for op, count in network.operators)
        for op, count in network.operators:
            time[op.key] = time.get(op.key, 0.0) + count * guess_ms(op)
            share[op.key] = share.get(op.key, 0.0) + count * guess_ms(op) / total
    planned: Any = [Seen(network) for network in networks]
    return {
        "time": sorted(time, key=lambda key: (-time[key], key)),
        "share": sorted(share, key=lambda key: (-share[key], key)),
        "plan": [op.key for op in make_plan(planned).operators],
    }


def errors(profile: DeviceProfile, keys: set[str], fitted: set[str]) -> list[float]:
    """Relative errors on the networks that are not in `fitted`."""
    lines = [line for line in profile.lines if line["type"] not in ("operator", "network") or line["key"] in keys | fitted]
    predictor = NetworkPredictor().fit(DeviceProfile(profile.header, lines, profile.sha256))
    found = []
    for network in profile.networks():
        if network.key not in fitted:
            terms, _ = network_terms(predictor.pricer_, [network], {})
            found.append(float(predictor.head_.network_ms(terms[0])) / network.latency_ms.value - 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile")
    profile = DeviceProfile.read(parser.parse_args().profile)
    networks, measured = profile.networks(), {m.key for m in profile.operators()}
    rows = []
    for share in SHARES:
        for name, order in orders(networks).items():
            kept = set([key for key in order if key in measured][: max(3, int(share * len(measured)))])
            heads = max(2, int(share * len(networks) / 2))
            draws = [np.random.default_rng(repeat).permutation(len(networks))[:heads] for repeat in range(REPEATS)]
            e = np.abs([error for draw in draws for error in errors(profile, kept, {networks[i].key for i in draw})])
            rows.append({"share": share, "order": name, "operators": len(kept), "networks": heads, "MAPE": float(e.mean()),
                         "within 10 %": float((e < 0.1).mean()), "p95": float(np.quantile(e, 0.95))})  # fmt: skip
    print(table(rows))
    save("plan_order", {"profile": profile.device_name, "rows": rows})


if __name__ == "__main__":
    main()
