"""Every benchmark, one after the other; nothing else should run meanwhile.

    python benchmarks/run_all.py [--work FOLDER] [--studies]

First a profile of this machine, which those that judge prices need; then what takes minutes each. `--studies`: also what takes hours. A
benchmark that fails is named at the end; the others run all the same.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

#: Arguments by benchmark, in order; PROFILE, DEVICE, ZOO and WORK stand for paths below --work.
MINUTES = {
    "library.py": "--budget 15m --work WORK/library --out WORK/library", "zoo.py": "--out ZOO",
    "unseen.py": "--profile PROFILE --models ZOO --out WORK/unseen.jsonl --budget 15m",
    "in_family.py": "--profile PROFILE --out WORK/in_family.jsonl --budget 8m",
    "ablation.py": "--profile PROFILE --judged WORK/unseen.jsonl", "plan_order.py": "PROFILE", "speed.py": "--device DEVICE",
    "startup.py": "", "cost_table.py": "", "quickstart.py": "", "repeatability.py": "", "in_context.py": "", "memory.py": "",
    "energy_overhead.py": "", "energy_pi5.py": "", "transfer.py": "", "transfer_runtime.py": "--old 1.20.1 --work WORK/runtimes",
    "exact_front.py": "", "flash.py": "", "replay_nb201.py": "", "progressive.py": "", "manas_regret.py": "", "coordinate_descent.py": "",
    "search_overhead.py": "", "differentiable.py": "--device DEVICE", "step_overhead.py": "", "one_path_memory.py": "",
}  # fmt: skip
HOURS = {
    "ordered_dropout.py": "", "strategies.py": "--epochs 16 --truth 16", "nn_degree.py": "--work WORK/nn_degree.json",
    "weight_sharing.py": "--jobs 2 --work WORK/weight_sharing", "whole_loop.py": "--work WORK/whole_loop",
}  # fmt: skip
#: The command of the same environment.
HWNAS = str(Path(sys.executable).with_name("hwnas"))


def _filled(word: str, paths: dict[str, Path]) -> str:
    first, _, rest = word.partition("/")
    return str(paths[first] / rest) if first in paths else word


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--studies", action="store_true", help="also what takes hours")
    options = parser.parse_args()
    profile, device = options.work / "library" / "onnxruntime-1t.jsonl", options.work / "device.json"
    paths = {"PROFILE": profile, "DEVICE": device, "ZOO": options.work / "zoo", "WORK": options.work}
    failed = []
    for name, arguments in {**MINUTES, **(HOURS if options.studies else {})}.items():
        command = [sys.executable, str(Path(__file__).with_name(name)), *(_filled(word, paths) for word in arguments.split())]
        print(f"== {shlex.join(command[1:])}", flush=True)
        if subprocess.run(command).returncode:
            failed.append(name)
        if name == "library.py" and subprocess.run([HWNAS, "fit", str(profile), "--out", str(device)]).returncode:
            failed.append("hwnas fit")
    sys.exit(f"failed: {', '.join(failed)}" if failed else None)


if __name__ == "__main__":
    main()
