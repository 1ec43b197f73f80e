"""How long it takes from an ONNX file to a price, after imports: worked out here, and by asking the runtime, in the same run.

    python benchmarks/speed.py --device DEVICE [MODEL.onnx ...]

Without files, networks of the atlas are written to a temporary folder: the same family at different widths and depths. Each file is read
from the beginning every time; the page cache is warm. Where the
lowering is not sure of a model, both ways ask the runtime, and the row says so. How fast batches of encoded candidates are priced is
measured by `cost_table.py`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import save, spread, table

import predictors
from device_profiles import atlas, lowering, onnx_io
from device_profiles.fingerprint import device_fingerprint
from device_profiles.graphs.models import network_model
from device_profiles.profile import DeviceProfile
from predictors import NetworkPredictor

FAMILIES = ("vgg", "separable", "inverted", "resnet", "densenet", "inception", "bottleneck", "multi_resolution")
OURS, ASKED = 30, 3


def write(folder: Path) -> list[Path]:
    """Networks of different size, two of each family."""
    paths = []
    for family in FAMILIES:
        for seed in range(2):
            path = folder / f"{family}-{seed}.onnx"
            path.write_bytes(network_model(atlas.network(family, np.random.default_rng(seed))))
            paths.append(path)
    return paths


def seconds(call: Callable[[], object], repeats: int) -> list[float]:
    """The time of each of several calls."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def sure(path: Path, block: int) -> bool:
    """Whether the lowering knows what the runtime executes for a file."""
    try:
        lowering.lower_file(*onnx_io.read_traced(path), block)
    except lowering.Unsure:
        return False
    return True


def measure(device: predictors.NetworkPredictor, path: Path, block: int) -> dict[str, Any]:
    """One row: the size of a model, the first price and later ones, the parts of a later one, and asking the runtime."""
    first = seconds(lambda: device.predict_onnx(path), 1)[0]
    ours = seconds(lambda: device.predict_onnx(path), OURS)
    source, trace = onnx_io.read_traced(path)
    known = sure(path, block)
    row = {"model": path.stem, "megabytes": path.stat().st_size / 1e6, "nodes": len(source.nodes), "sure": known, "first_ms": first * 1e3}
    row |= {f"ours_{name}_ms": value * 1e3 for name, value in spread(ours).items() if name != "n"}
    row["read_ms"] = spread(seconds(lambda: onnx_io.read_traced(path), OURS))["median"] * 1e3
    if known:
        row["lower_ms"] = spread(seconds(lambda: lowering.lower_file(source, trace, block), OURS))["median"] * 1e3

    def ask() -> object:
        with device.lowering() as asked:
            return device.predict(asked(path.read_bytes()))

    return row | {f"asked_{name}_ms": value * 1e3 for name, value in spread(seconds(ask, ASKED)).items() if name != "n"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="ONNX files; networks of the atlas when none is given")
    parser.add_argument("--device", required=True, help="a device.json, a profile (.jsonl), or the name of a device of the library")
    arguments = parser.parse_args()
    is_profile = arguments.device.endswith(".jsonl")
    device = NetworkPredictor().fit(DeviceProfile.read(arguments.device)) if is_profile else predictors.load(arguments.device)
    block = lowering.block_of(device.origin_["device"], device.origin_["runtime"])
    if block is None:
        raise SystemExit(f"what {device.device_name_} executes is not worked out here: choose another --device")
    with tempfile.TemporaryDirectory() as folder:
        paths = arguments.models or write(Path(folder))
        device.predict_onnx(paths[0])  # imports
        rows = [measure(device, path, block) for path in paths]
    shown = ("model", "megabytes", "nodes", "sure", "first_ms", "ours_median_ms", "ours_max_ms", "asked_median_ms")
    print(table([{name: row[name] for name in shown} for row in rows]))
    repeats = {"ours": OURS, "asked": ASKED}
    save("speed", {"device": device.device_name_, "host": device_fingerprint()["cpu"], "repeats": repeats, "rows": rows})


if __name__ == "__main__":
    main()
