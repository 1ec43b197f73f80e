"""What each part of the predictor is good for, on networks that nobody fitted on; and what less time for profiling costs.

    hwnas profile --out runs/atlas.jsonl --budget 30m
    python benchmarks/unseen.py --profile runs/atlas.jsonl --models runs/zoo --out runs/unseen.jsonl
    python benchmarks/ablation.py --profile runs/atlas.jsonl --judged runs/unseen.jsonl

Operators that were measured stand as measured in every row but "base only"; a method prices the others. With "head", a residual head is
fitted on the whole networks of the profile, to the prices of that method. The second table fits on what shorter campaigns would have left:
the first operators of the plan, and of the whole networks as many as have the same share, spread evenly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from baselines import forest_sums, nearest_prices
from common import save, table
from judging import ceiling, constant, executed, latencies
from sklearn.dummy import DummyRegressor

from device_profiles.operators import Operator
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.runtimes import RuntimeProcess
from hwnas import profiling
from predictors import NetworkPredictor
from predictors.boosted import BoostedTrees
from predictors.evaluation import metrics
from predictors.features import feature_matrix
from predictors.head import ResidualHead, head_terms
from predictors.linear import LinearRatio
from predictors.lookup import LookupTable
from predictors.network_fit import floor_ms
from predictors.neural import NeuralRatio
from predictors.roofline import Roofline

Vector = np.ndarray[Any, np.dtype[np.float64]]
Pricing = Callable[[Sequence[Operator]], Vector]

#: Shares of the profile that shorter campaigns leave.
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


def methods(profile: DeviceProfile, device: NetworkPredictor) -> dict[str, Pricing]:
    """How operators that were not measured are priced, by name."""
    measured = profile.operators()
    X, y = feature_matrix([m.operator for m in measured]), np.array([m.latency_ms.value for m in measured])
    nothing = DummyRegressor(strategy="median")
    models = {
        "interpolation without a base": LookupTable(base=nothing),
        "trees without a base": BoostedTrees(base=nothing, monotone=False),
        "base": Roofline(),
        "ridge over base": LinearRatio(),
        "neural network over base": NeuralRatio(),
        "interpolation over base": LookupTable(),
        "trees over base": BoostedTrees(),
    }
    found: dict[str, Pricing] = {"nearest measured kernel": lambda operators: nearest_prices(profile, operators)}
    for name, model in models.items():
        model.fit(X, y)
        found[name] = lambda operators, model=model: model.predict(feature_matrix(operators))  # type: ignore[misc]
    found["the better one per family (hwnas)"] = lambda operators: np.array([p.value for p in device.predict_operators(operators)])
    return found


def terms_of(networks: Sequence[NetworkMeasurement], prices: dict[str, float]) -> Vector:
    """The sums of `head_terms` of networks, `(n, terms)`."""
    rows = []
    for net in networks:
        operators, counts = [op for op, _ in net.operators], np.array([count for _, count in net.operators], dtype=np.float64)
        rows.append(counts @ head_terms(operators, [prices[op.key] for op in operators]))
    return np.array(rows)


def parts(profile: DeviceProfile, judged: Sequence[NetworkMeasurement]) -> list[dict[str, Any]]:
    """A row per method, without and with a head."""
    known, truth, floor = profile.networks(), latencies(judged), floor_ms(profile)
    needed = {op.key: op for net in (*known, *judged) for op, _ in net.operators}
    measured = {m.key: m.latency_ms.value for m in profile.operators()}
    open_ = [op for key, op in needed.items() if key not in measured]
    rows = [
        {"method": "MACs x constant", "head": "", **metrics(constant(known, judged, "macs"), truth)},
        {"method": "forest per kind (nn-Meter)", "head": "", **metrics(forest_sums(profile, judged), truth)},
    ]
    every = Roofline().fit(feature_matrix([m.operator for m in profile.operators()]), np.array(list(measured.values())))
    only = dict(zip(needed, every.predict(feature_matrix(list(needed.values()))).tolist(), strict=True))
    tables = {"base only": only}
    for name, price in methods(profile, NetworkPredictor().fit(profile)).items():
        tables[name] = {**measured, **dict(zip([op.key for op in open_], price(open_).tolist(), strict=True))}
    for name, prices in tables.items():
        inside, outside = terms_of(known, prices), terms_of(judged, prices)
        head = ResidualHead.fit(inside, latencies(known), floor)
        rows.append({"method": name, "head": "no", **metrics(outside[:, 0], truth)})
        rows.append({"method": name, "head": "yes", **metrics(head.network_ms(outside), truth)})
    return [*rows, {"method": "repeat ceiling", "head": "", **metrics(*ceiling(judged))}]


def planned(profile: DeviceProfile) -> list[str]:
    """The measured operators in the order in which the campaign took them."""
    runtime, measured = profile.header["runtime"], {m.key for m in profile.operators()}
    with RuntimeProcess(runtime["name"], runtime["threads"], timeout_s=120) as process:
        return [op.key for op in profiling.plan_atlas(process).operators if op.key in measured]


def shorter(profile: DeviceProfile, order: Sequence[str], share: float) -> DeviceProfile:
    """The first operators of the plan, and the same share of the whole networks."""
    networks = [net.key for net in profile.networks()]
    heads = np.linspace(0, len(networks) - 1, max(1, round(share * len(networks)))).astype(int)
    kept = {*order[: max(3, round(share * len(order)))], *(networks[i] for i in heads)}
    lines = [line for line in profile.lines if line["type"] not in ("operator", "network") or line["key"] in kept]
    return DeviceProfile(profile.header, lines, profile.sha256)


def budgets(profile: DeviceProfile, judged: Sequence[NetworkMeasurement]) -> list[dict[str, Any]]:
    """A row per length of the campaign."""
    rows, order = [], planned(profile)
    for share in SHARES:
        short = shorter(profile, order, share)
        device = NetworkPredictor().fit(short)
        quantities = [device.predict(executed(net)).latency_ms for net in judged]
        values, low, high = (np.array([getattr(q, end) for q in quantities]) for end in ("value", "low", "high"))
        counts = {"operators": len(short.operators()), "networks": len(short.networks())}
        rows.append({"share": share, **counts, **metrics(values, latencies(judged), low, high)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--judged", type=Path, required=True, help="networks measured whole, a profile")
    arguments = parser.parse_args()
    profile, judged = DeviceProfile.read(arguments.profile), DeviceProfile.read(arguments.judged).networks()
    print(f"{len(judged)} networks, {len(profile.operators())} operators, {len(profile.networks())} networks to fit heads on")
    by_part = parts(profile, judged)
    print(table(by_part), flush=True)
    by_budget = budgets(profile, judged)
    print(table(by_budget))
    save("ablation", {"parts": by_part, "budgets": by_budget})


if __name__ == "__main__":
    main()
