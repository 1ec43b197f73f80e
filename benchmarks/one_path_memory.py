"""Memory of a training step: one path of a cell space against a mixture of all its operators.

    python benchmarks/one_path_memory.py [--batch 32] [--resolution 32] [--blocks 3] [--width 16]

The space is that of PNAS: every side of a block chooses an input and one of eight operators. The baseline is the relaxation of DARTS (Liu
et al., ICLR 2019, section 2.2), in which every candidate is computed and a side is their sum, weighted by the softmax of learned numbers:
"all paths" has every operator on every input, "all operators" those on the inputs of one architecture. One path is what one-path sampling
and the multi-agent strategies train, another random architecture in every step; the heaviest path has the largest separable convolution
everywhere.

All of them hold the same super-network and train it with momentum. Memory is the peak resident size (VmHWM) of a fresh process, less that
of one that only loads the libraries and the images: it is what a machine must have, and unlike the counters of torch's allocator, which on
a CPU see tensors alone, it holds the working memory of the convolutions. On a GPU (--device cuda) that memory comes from torch's allocator
too, and its peak is taken.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import peak_rss_mb, save, table
from torch import nn

from hwnas.spaces.blueprint import Blueprint
from hwnas.spaces.cell_operators import operator, relu_conv
from hwnas.spaces.pnas import INPUTS, OPERATORS, PNASSpace
from hwnas.supernet.drawn import DrawnSupernet, run, steps
from hwnas.supernet.recipe import Recipe
from hwnas.supernet.trainer import _optimiser

KINDS = ("one path", "heaviest path", "all operators", "all paths")
HEAVIEST = OPERATORS.index("sep_conv_7x7")


class Relaxed(PNASSpace):
    """The same cells with every operator on both sides of a block, on the input of the architecture or on `every_input`."""

    every_input = False

    def _cell(self, draw: Blueprint, part: str, previous: str, current: str, row: list[int], width: int, stride: int) -> str:
        shrink = 2 if draw.shapes[previous][1] > draw.shapes[current][1] else 1
        values = [relu_conv(draw, f"{part}/previous", previous, width, stride=shrink), relu_conv(draw, f"{part}/current", current, width)]
        for b in range(self.blocks):
            sides = [
                self._side(draw, f"{part}.block{b + 1}/{side}", values, x, stride)
                for side, x in (("left", row[4 * b]), ("right", row[4 * b + 2]))
            ]
            values.append(draw.add(f"{part}.block{b + 1}/add", *sides))
        return draw.concat(f"{part}/concat", values[len(INPUTS) :])

    def _side(self, draw: Blueprint, name: str, values: list[str], chosen: int, stride: int) -> str:
        """The weighted sum; the weights are drawn as layers of their own, which `Mixture` fills in."""
        names = [*INPUTS, *(f"block{b}" for b in range(1, self.blocks + 1))]
        terms = []
        for x in range(len(values)) if self.every_input else [chosen]:
            for op in self.operators:
                y = operator(draw, f"{name}.{names[x]}.{op}", values[x], op, stride if x < len(INPUTS) else 1)
                terms.append(draw.norm(f"{name}.share{len(terms)}", y))
        total = terms[0]
        for index, term in enumerate(terms[1:]):
            total = draw.add(f"{name}.sum{index}", total, term)
        return total


class Share(nn.Module):
    """An operator's result times its share."""

    def __init__(self, numbers: nn.Parameter, index: int) -> None:
        super().__init__()
        self.numbers, self.index = numbers, index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.numbers.softmax(0)[self.index]


class Mixture(nn.Module):
    """Runs a relaxed drawing on the layers of the super-network; cells share the numbers behind the shares."""

    def __init__(self, net: DrawnSupernet, drawing: Blueprint) -> None:
        super().__init__()
        self.program = steps(drawing.layers)
        self.layers = nn.ModuleDict(net.layers)
        places = [step for step in self.program if ".share" in step.layer.name]
        sides: dict[str, list[Any]] = {}
        for step in places:
            cell, _, side = step.layer.name.rpartition(".share")[0].partition(".")
            sides.setdefault(f"{cell} {side}", []).append(step)
        numbers: dict[str, nn.Parameter] = {}
        for name, own in sides.items():
            shared = numbers.setdefault(name.partition(" ")[2], nn.Parameter(torch.zeros(len(own))))
            self.layers.update({step.key: Share(shared, index) for index, step in enumerate(own)})
        for step in self.program:
            if step.key in net.layers:
                net._layer(step).select(step.layer)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return run(self.program, self.layers, images)


def training(kind: str, options: Any, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A training step of one kind."""
    rng = np.random.default_rng(0)
    sizes: dict[str, Any] = {"blocks": options.blocks, "repeats": 1, "width": options.width}
    space = PNASSpace(10, 3, options.resolution, **sizes)
    net = DrawnSupernet(space)
    arch = space.sample(1, rng)[0]
    model: nn.Module = net
    if kind.startswith("all"):
        relaxed = Relaxed(10, 3, options.resolution, **sizes)
        relaxed.every_input = kind == "all paths"
        model = Mixture(net, relaxed.blueprint(arch))
    model.to(options.device).train()
    optimiser = _optimiser(model, Recipe(learning_rate=1e-3))

    def step() -> None:
        if kind == "one path":
            net.activate(space.sample(1, rng))
        elif kind == "heaviest path":
            heavy = space.sample(1, rng)
            heavy[:, 1::2] = HEAVIEST
            net.activate(heavy)
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()
        optimiser.step()

    return step


def child(options: Any) -> None:
    """Prints the peak of a few steps in megabytes."""
    rng = np.random.default_rng(1)
    pixels = torch.from_numpy(rng.random((options.batch, 3, options.resolution, options.resolution), dtype=np.float32))
    images = pixels.contiguous(memory_format=torch.channels_last).to(options.device)
    labels = torch.from_numpy(rng.integers(0, 10, options.batch)).to(options.device)
    if options.child != "nothing":
        step = training(options.child, options, images, labels)
        for _ in range(options.steps if options.child.endswith("path") else 2):
            step()
    print(torch.cuda.max_memory_allocated() / 2**20 if options.device == "cuda" else peak_rss_mb())


def peak_mb(kind: str, arguments: list[str]) -> float:
    """The peak of a process of one kind ("nothing" only makes the images)."""
    out = subprocess.run([sys.executable, __file__, *arguments, "--child", kind], capture_output=True, text=True, check=True)
    return float(out.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10, help="steps of one path, each another one")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.child:
        child(options)
        return
    empty, found = peak_mb("nothing", sys.argv[1:]), {}
    for kind in KINDS:
        found[kind] = peak_mb(kind, sys.argv[1:]) - empty
        print(f"{kind}: {found[kind]:.0f} MB", flush=True)
    rows = [
        {"trained": kind, "MB": mb, "of all operators": mb / found["all operators"], "of all paths": mb / found["all paths"]}
        for kind, mb in found.items()
    ]
    print(table(rows))
    save("one_path_memory", {"options": vars(options), "unit": "MB of 2 ** 20 bytes", "torch": torch.__version__, "rows": rows})


if __name__ == "__main__":
    main()
