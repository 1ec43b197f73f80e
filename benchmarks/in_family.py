"""Prices of random variants of the families that the atlas knows, none of which was profiled: kernels, widths, depths, resolutions.

    hwnas profile --out runs/atlas.jsonl --budget 30m
    python benchmarks/in_family.py --profile runs/atlas.jsonl [--variants 14] [--budget 8m]

The variants are drawn with another seed than those of the profile and timed whole into `--out`. Beside the full predictor: MACs and
parameters times a constant, the operators added up, nn-Meter's recipe on the same measurements (a random forest per kind of operator on
its published features), and the measurement repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from baselines import forest_sums
from common import save, table
from judging import judge, latencies, time_whole

from device_profiles import atlas, onnx_io
from device_profiles.graphs.weights import without_weights
from device_profiles.plan import WholeNetwork
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RuntimeProcess
from predictors import NetworkPredictor
from predictors.evaluation import metrics

#: The profile draws its networks with seed 0.
SEED = 1


def variants(runtime: RuntimeProcess, each: int) -> list[WholeNetwork]:
    """`each` networks of every family."""
    drawn = atlas.rounds(each, np.random.default_rng(SEED))
    models = [(f"variant/{name}", onnx_io.network_model(network)) for name, network in drawn]
    return [WholeNetwork(name, without_weights(model), runtime.executed_graph(model, name)) for name, model in models]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=14, help="of every family; 0: what --out holds already is judged")
    parser.add_argument("--out", type=Path, default=Path("runs/in_family.jsonl"), help="the measured variants, a profile")
    parser.add_argument("--budget", help="time for measuring the variants, such as 8m")
    arguments = parser.parse_args()
    profile = DeviceProfile.read(arguments.profile)
    if arguments.variants:
        runtime = profile.header["runtime"]
        with RuntimeProcess(runtime["name"], runtime["threads"], timeout_s=120) as process:
            time_whole(process, variants(process, arguments.variants), arguments.out, profile, arguments.budget)
    judged = [net for net in DeviceProfile.read(arguments.out).networks() if net.name.startswith("variant/")]
    rows, nets = judge(NetworkPredictor().fit(profile), profile.networks(), judged)
    rows.insert(2, {"method": "forest per kind (nn-Meter)", **metrics(forest_sums(profile, judged), latencies(judged))})
    print(f"{len(judged)} variants, {len(profile.operators())} operators, {len(profile.networks())} networks fitted on")
    print(table(rows))
    families = sorted({net.name.split("/")[1] for net in judged})
    errors = {name: np.abs([row["error"] for row in nets if row["model"].split("/")[1] == name]) for name in families}
    per_family = [
        {"family": name, "n": len(e), "MAPE": float(e.mean()), "within_10": float((e <= 0.1).mean())} for name, e in errors.items()
    ]
    print(table(per_family))
    save("in_family", {"rows": rows, "families": per_family, "models": nets})


if __name__ == "__main__":
    main()
