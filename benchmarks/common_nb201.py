"""NAS-Bench-201 cells as networks, and where the recorded tables lie (Dong and Yang, ICLR 2020).

A network is a stem, three stages of five equal cells of 16, 32 and 64 channels with residual blocks of stride 2 between them, and a
classifier. A cell has four nodes; every edge holds one of five operations.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.operators import AttributeValue, Network, Tensor

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

#: The edges of a cell in the order of its encoding, as (from, to).
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

WIDTHS, CELLS = (16, 32, 64), 5


def recorded(*names: str) -> Path:
    """A file of the recorded tables: below `HWNAS_DATA`, else below `../shared/data`. Raises InputError when it is not there."""
    folder = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = folder.joinpath(*names)
    if not path.exists():
        raise InputError(f"{path} is not there: set HWNAS_DATA to the folder of the recorded tables")
    return path


class _Cells(NetworkBuilder):
    """Writes every value once: runtimes merge nodes that compute the same from the same, and drop what does nothing."""

    def once(self, kind: str, x: str, *more: str, **attributes: AttributeValue) -> str:
        name = f"{kind}({','.join((x, *more))})"
        if f"{name}.out" in self.values:
            return f"{name}.out"
        constants = {"zero": Tensor((), constant=True, values=(0.0,))} if kind == "Mul" else None
        return self.node(kind, name, (x, *more), self.values[x].shape, constants, **attributes)

    def relu_conv(self, name: str, x: str, channels: int, kernel: int, stride: int = 1) -> str:
        return self.conv(name, self.once("Relu", x), channels, kernel, stride)

    def edge(self, name: str, operation: str, x: str) -> str:
        if operation == "skip_connect":
            return x
        if operation == "none":  # PyTorch writes `x * 0`, and no runtime may assume that this is 0
            return self.once("Mul", x)
        if operation == "avg_pool_3x3":
            return self.once("AveragePool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        return self.relu_conv(name, x, self.values[x].shape[1], int(operation[-1]))

    def cell(self, name: str, operations: Sequence[str], x: str) -> str:
        nodes = [x]
        for target in (1, 2, 3):
            arriving = [i for i, edge in enumerate(EDGES) if edge[1] == target]
            values = [self.edge(f"{name}.{i}", operations[i], nodes[EDGES[i][0]]) for i in arriving]
            total = values[0]
            for value in values[1:]:
                total = self.once("Add", total, value)
            nodes.append(total)
        return nodes[-1]

    def reduction(self, name: str, x: str, channels: int) -> str:
        body = self.relu_conv(f"{name}.b", self.relu_conv(f"{name}.a", x, channels, 3, stride=2), channels, 3)
        batch, width, height, length = self.values[x].shape
        pooled = self.node(
            "AveragePool", f"{name}.pool", (x,), (batch, width, height // 2, length // 2), kernel_shape=(2, 2), strides=(2, 2)
        )
        return self.once("Add", self.conv(f"{name}.shortcut", pooled, channels, 1), body)


def network(operations: Sequence[int], classes: int = 100) -> Network:
    """The network of one cell, given as indices of `OPERATIONS` in the order of `EDGES`."""
    names = [OPERATIONS[i] for i in operations]
    builder = _Cells("nb201", {"input": Tensor((1, 3, 32, 32))})
    x = builder.conv("stem", "input", WIDTHS[0], 3)
    for stage, width in enumerate(WIDTHS):
        if stage:
            x = builder.reduction(f"stage{stage}.reduction", x, width)
        for number in range(CELLS):
            x = builder.cell(f"stage{stage}.cell{number}", names, x)
    x = builder.once("Relu", x)
    return builder.build(builder.linear("classifier", builder.flatten("flatten", builder.global_pool("pool", x)), classes))
