"""Peak memory of whole networks: what liveness and weights say against what a child process really takes.

    python benchmarks/memory.py

The nine convolutional networks of the onnx package, whose weights are made while the model is loaded. The sum is the baseline: no execution
can do with less. What is above it are second copies of weights, in the layout that kernels want, and what loading leaves behind.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import onnx
from common import save, table

from device_profiles.graphs.graph import name_nodes
from device_profiles.graphs.weights import fill_weights
from device_profiles.items import background_items
from device_profiles.proxies import proxies
from device_profiles.runtimes import RuntimeProcess

REPEATS = 5
NETWORKS = Path(onnx.__file__).parent / "backend/test/data/light"


def measure(runtime: RuntimeProcess, file: Path, empty: bytes) -> dict[str, Any]:
    """One network: what its graph needs, and its peaks in as many children."""
    model = fill_weights(name_nodes(file.read_bytes()))
    needed = proxies(runtime.executed_graph(model))
    peaks = [runtime.peak_memory(model, empty) / 1e6 for _ in range(REPEATS)]
    median = statistics.median(peaks)
    return {
        "network": file.stem.removeprefix("light_"),
        "weights MB": needed.weight_bytes / 1e6,
        "activations MB": needed.peak_activation_bytes / 1e6,
        "sum MB": needed.memory_mb,
        "measured MB": median,
        "spread": (max(peaks) - min(peaks)) / 2 / median,
        "measured / sum": median / needed.memory_mb,
    }


def main() -> None:
    empty = background_items()[0].model()
    rows = []
    with RuntimeProcess("onnxruntime", 1) as runtime:
        fingerprint = runtime.fingerprint()
        for file in sorted(NETWORKS.glob("*.onnx")):
            rows.append(measure(runtime, file, empty))
            print(f"{len(rows)} of 9", end="\r", flush=True)
    print(table(rows))
    ratios = [row["measured / sum"] for row in rows]
    spread = max(row["spread"] for row in rows)
    print(f"measured over sum: {min(ratios):.2f} to {max(ratios):.2f}; repeats differ by up to {spread:.1%} to a side")
    save("memory", {"unit": "MB of a million bytes", "runtime": fingerprint, "repeats": REPEATS, "rows": rows})


if __name__ == "__main__":
    main()
