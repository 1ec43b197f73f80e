"""One training step of a sub-net inside the super-network against the same network on its own: time and memory.

    python benchmarks/step_overhead.py [--repeats 30] [--batch 64] [--resolution 32] [--device cuda] [--layout contiguous] [--compile]

Both run the same plain step (forward, backward, clipping, SGD) on the same images, in turns; both activate their sub-net, as every step of
a strategy does. Memory is the peak resident size of a fresh process that does nothing else, less that of one that only loads the libraries
and the images; on a GPU the peak of torch's allocator. With --compile torch.compile has compiled both before the clock starts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import interleaved, peak_rss_mb, save, spread, table

from hwnas import spaces
from hwnas.supernet.alone import Alone
from hwnas.supernet.recipe import Recipe
from hwnas.supernet.strategies import Batch
from hwnas.supernet.strategies.base import supervised
from hwnas.supernet.trainer import _optimiser

KINDS = ("inside", "alone")


def step(kind: str, which: int, options: Any) -> Callable[[], object]:
    """A training step of sub-net number `which` (0 smallest, 1 largest, else random) of one kind."""
    space = spaces.load("mobilenet-small", resolution=options.resolution)
    archs = np.concatenate([space.smallest(), space.largest(), space.sample(max(0, which - 1), np.random.default_rng(0))])
    net = space.supernet() if kind == "inside" else Alone(space, archs[which])
    net.train().to(options.device).activate(archs[which])
    if options.layout == "contiguous":
        net.to(memory_format=torch.contiguous_format)
    if options.compile:
        net.compile()
    weights = list(net.parameters())  # once, as the trainer does
    optimiser = _optimiser(net, Recipe(learning_rate=1e-3))
    rng = np.random.default_rng(1)
    images = torch.from_numpy(rng.random((options.batch, 3, options.resolution, options.resolution), dtype=np.float32))
    if options.layout == "channels_last":
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(rng.integers(0, 10, options.batch))
    batch = Batch(images.to(options.device), labels.to(options.device), rng, 0.0, 0.1)

    def run() -> None:
        net.activate(archs[which])
        optimiser.zero_grad(set_to_none=True)
        supervised(net, batch)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        if options.device == "cuda":
            torch.cuda.synchronize()

    return run


def peak_mb(kind: str, which: int, options: Any) -> float:
    """Peak memory of a process that does three steps of one kind ("nothing" only makes the images)."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", kind, "--which", str(which)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(out.stdout)


def child(options: Any) -> None:
    if options.child != "nothing":
        run = step(options.child, options.which, options)
        for _ in range(3):
            run()
    print(torch.cuda.max_memory_allocated() / 2**20 if options.device == "cuda" else peak_rss_mb())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--subnets", type=int, default=4)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--layout", default="channels_last", choices=("channels_last", "contiguous"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    parser.add_argument("--which", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.child:
        child(options)
        return
    empty, rows = peak_mb("nothing", 0, options), []
    for which in range(options.subnets):
        seconds = interleaved({kind: step(kind, which, options) for kind in KINDS}, options.repeats)
        memory = {kind: peak_mb(kind, which, options) - empty for kind in KINDS}
        times = {kind: spread(seconds[kind]) for kind in KINDS}
        row: dict[str, Any] = {"sub-net": ("smallest", "largest")[which] if which < 2 else f"random {which - 1}"}
        row |= {f"{kind} ms": times[kind]["median"] * 1000 for kind in KINDS}
        row |= {"time ratio": times["inside"]["median"] / times["alone"]["median"], "least": times["inside"]["min"] / times["alone"]["min"]}
        row |= {f"{kind} MB": memory[kind] for kind in KINDS}
        row["memory ratio"] = memory["inside"] / memory["alone"]
        rows.append(row)
        print(table(rows[-1:]), flush=True)
    print(table(rows))
    name = "step_overhead" if options.device == "cpu" else f"step_overhead_{options.device}"
    save(name, {"options": vars(options), "threads": 1, "torch": torch.__version__, "rows": rows})


if __name__ == "__main__":
    main()
