"""Prices of real models that nobody saw in fitting: how wrong are they, and do their intervals hold?

    python benchmarks/zoo.py --out runs/zoo
    hwnas profile --out runs/atlas.jsonl --budget 30m
    python benchmarks/unseen.py --profile runs/atlas.jsonl --models runs/zoo [--budget 10m]

The models are timed whole, by the same protocol on the same device, into `--out` (a run that was interrupted goes on); nothing of them is
ever used in fitting. Beside the full predictor: what a user would do instead (MACs or parameters times a constant that is fitted on the
whole networks of the same profile), the operators added up, and the measurement repeated (even rounds against odd ones).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import save, table
from judging import judge, time_whole
from rounds import file_networks

from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RuntimeProcess
from predictors import NetworkPredictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--models", type=Path, help="folder of ONNX files; without it, what --out holds already is judged")
    parser.add_argument("--out", type=Path, default=Path("runs/unseen.jsonl"), help="the measured models, a profile")
    parser.add_argument("--budget", help="time for measuring the models, such as 10m")
    parser.add_argument("--name", default="unseen", help="of the file with the results")
    arguments = parser.parse_args()
    profile = DeviceProfile.read(arguments.profile)
    if arguments.models is not None:
        runtime = profile.header["runtime"]
        with RuntimeProcess(runtime["name"], runtime["threads"], timeout_s=120) as process:
            time_whole(process, file_networks(process, arguments.models), arguments.out, profile, arguments.budget)
    judged, known = DeviceProfile.read(arguments.out).networks(), profile.networks()
    rows, nets = judge(NetworkPredictor().fit(profile), known, judged)
    print(f"{len(judged)} models, {len(profile.operators())} operators, {len(known)} networks fitted on")
    print(table(rows))
    print(table(nets[:12]))
    save(arguments.name, {"profile": {"operators": len(profile.operators()), "networks": len(known)}, "rows": rows, "models": nets})


if __name__ == "__main__":
    main()
