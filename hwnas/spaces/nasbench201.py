"""NAS-Bench-201: cells of four nodes with one of five operators on each of six edges (Dong & Yang, ICLR 2020, section 2.1).

The network: a 3x3 convolution, three stages of equal cells with 16, 32 and 64 channels, a residual block of stride 2 between stages, batch
norm, global pooling, a classifier.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, Choice, Part, SearchSpace
from hwnas.spaces.blueprint import Blueprint
from hwnas.spaces.drawn import DrawnSpace

#: The operators by their published names, in the published order.
OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
#: From which node to which, in the order of the tokens of the string.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
NONE, SKIP = "none", "skip_connect"


class NASBench201Space(DrawnSpace):
    """Six choices, `edge0-1` to `edge2-3`, shared by all cells: 15,625 encodings, 5,425 different networks.

    The canonical form of a cell is the isomorphic cell of lowest index: edges that nothing reaches or that lead nowhere count as none, a
    skip connection is its source, sums do not depend on their order, inner nodes may be renamed. What a runtime executes depends on the
    cell as a whole (it fuses additions into convolutions and drops what leads nowhere), so a cell is one part. A cell whose output nothing
    reaches gives zeros, as published.
    """

    name = "nasbench201"

    def __init__(
        self, classes: int, channels: int, resolution: int, *, width: int = 16, cells: int = 5, operators: Sequence[str] = OPERATORS
    ) -> None:
        if resolution % 4 or classes < 2 or min(channels, width, cells) < 1:
            raise InputError(
                f"a NAS-Bench-201 network needs a resolution that 4 divides, classes >= 2, positive channels, width and cells, "
                f"got {resolution}, {classes}, {channels}, {width}, {cells}"
            )
        if len(set(operators)) < 2 or not set(operators) <= set(OPERATORS):
            raise InputError(f"operators must be two or more of {', '.join(OPERATORS)}, got {', '.join(operators)}")
        self.classes, self.width, self.cells, self.operators = classes, width, cells, tuple(operators)
        self.input_shape = (channels, resolution, resolution)
        self.choices = tuple(Choice(f"edge{a}-{b}", self.operators) for a, b in EDGES)
        self.parts = (
            Part("stem", ()),
            *(Part(f"cell{i}", tuple(range(6))) for i in range(1, 3 * cells + 1)),
            Part("reduction1", ()), Part("reduction2", ()), Part("head", ()),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """The number of cells that are not isomorphic to another, by counting them."""
        return len(np.unique(self._representatives))

    def canonical(self, archs: npt.ArrayLike) -> Archs:
        """For each architecture the isomorphic one of lowest index; shape `(n, 6)`."""
        rows = self._representatives[self.index(archs)]
        powers = len(self.operators) ** np.arange(5, -1, -1)
        return np.asarray(rows[:, None] // powers % len(self.operators), dtype=np.int64)

    def index(self, archs: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The place of each architecture in the list of all, the last edge changing fastest; shape `(n,)`."""
        powers = len(self.operators) ** np.arange(5, -1, -1)
        return np.asarray(self.validate(archs) @ powers, dtype=np.int64)

    def published_class(self, archs: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """For each architecture the lowest index of a cell that the authors' code counts as isomorphic; shape `(n,)`.

        There are 6,466 classes. They are for dividing recorded tables, not for costs: two inner nodes of equal operators count as one in
        them, although each has weights and work of its own, and of cells that lead nowhere several kinds are told apart.
        """
        return self._first(_published_form)[self.index(archs)]

    @cached_property
    def _representatives(self) -> npt.NDArray[np.int64]:
        return self._first(_form)

    def _first(self, form: Callable[[Sequence[str]], str]) -> npt.NDArray[np.int64]:
        """For every cell, by index, the lowest index of a cell of equal form."""
        first: dict[str, int] = {}
        every = itertools.product(self.operators, repeat=len(EDGES))
        return np.array([first.setdefault(form(cell), index) for index, cell in enumerate(every)])

    def cell(self, arch: Sequence[int] | Archs) -> tuple[str, ...]:
        """The operators of one architecture, in the order of `EDGES`."""
        return tuple(self.operators[i] for i in self.validate(np.asarray(arch))[0])

    def to_string(self, arch: Sequence[int] | Archs) -> str:
        """The published text of one architecture: `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...~0|...~1|...~2|`."""
        operators = dict(zip(EDGES, self.cell(arch), strict=True))
        return "+".join("".join(f"|{operators[a, b]}~{a}" for a in range(b)) + "|" for b in (1, 2, 3))

    def from_string(self, text: str) -> Archs:
        """The inverse of `to_string`, not made canonical; shape `(1, 6)`. Raises InputError when the text is no cell of this space."""
        tokens = re.findall(r"([a-z0-9_]+)~([0-3])", text)
        wanted = "+".join("".join(f"|{op}~{a}" for op, (a, _) in zip(row, edges, strict=False)) + "|" for row, edges in _rows(tokens))
        if len(tokens) != len(EDGES) or wanted != text.strip():
            raise InputError(f"{text[:120]!r} is no NAS-Bench-201 cell; one looks like {self.to_string([0] * 6)}")
        for operator, _ in tokens:
            if operator not in self.operators:
                raise InputError(f"{operator!r} is no operator of this space; legal: {', '.join(self.operators)}")
        return self.validate([self.operators.index(operator) for operator, _ in tokens])

    def blueprint(self, arch: Sequence[int] | Archs) -> Blueprint:
        """ReLU, convolution, batch-norm on the edges; edges without use are left out."""
        draw = Blueprint(self.input_shape)
        operators, number = live(self.cell(arch)), 0
        x = draw.conv("stem/conv", "input", self.width, 3)
        for stage in range(3):
            if stage:
                x = _reduction(draw, f"reduction{stage}", x)
            for _ in range(self.cells):
                number += 1
                x = _cell(draw, f"cell{number}", x, operators)
        x = draw.global_pool("head/pool", draw.activation("head/relu", draw.norm("head/norm", x)))
        draw.linear("head/classifier", x, self.classes)
        return draw

    def widest(self) -> Archs:
        """All edges with one operator, for every operator."""
        return np.repeat(np.arange(len(self.operators))[:, None], len(EDGES), axis=1)

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        return {
            "kind": self.name, "classes": self.classes, "channels": self.input_shape[0], "resolution": self.input_shape[1],
            "width": self.width, "cells": self.cells, "operators": list(self.operators),
        }  # fmt: skip

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> SearchSpace:
        """The inverse of `spec`."""
        return cls(
            int(spec["classes"]), int(spec["channels"]), int(spec["resolution"]),
            width=int(spec["width"]), cells=int(spec["cells"]), operators=tuple(spec["operators"]),
        )  # fmt: skip


def live(cell: Sequence[str]) -> dict[tuple[int, int], str]:
    """The operators by edge, without none, edges that the cell's input does not reach, and edges that do not lead to its output."""
    used = {edge: operator for edge, operator in zip(EDGES, cell, strict=True) if operator != NONE}
    reached, leads = {0}, {3}
    for a, b in sorted(used):  # by source: a node is complete before its own edges come
        reached |= {b} if a in reached else set()
    for a, b in sorted(used, reverse=True):
        leads |= {a} if b in leads else set()
    return {(a, b): operator for (a, b), operator in used.items() if a in reached and b in leads}


def _form(cell: Sequence[str]) -> str:
    """The same text for cells that are the same network: see `_text`; the two inner nodes may change their names."""
    operators = live(cell)
    return min(_text(operators, names) for names in ({1: "p", 2: "q"}, {1: "q", 2: "p"}))


def _text(operators: Mapping[tuple[int, int], str], names: Mapping[int, str]) -> str:
    """The output as a sorted sum of terms. A node read once is written where it is read, one read more often also has its name.

    So two nodes that only look alike, which have weights of their own, do not become one. A node of one skip connection is its source.
    """
    source, terms = {0: 0}, {b: [a for a in range(b) if (a, b) in operators] for b in (1, 2, 3)}
    for b in (1, 2, 3):
        source[b] = source[terms[b][0]] if [operators[a, b] for a in terms[b]] == [SKIP] else b
    kept = [b for b in (1, 2, 3) if source[b] == b]
    reads = Counter(source[a] for b in kept for a in terms[b])
    sums: dict[int, list[str]] = {0: ["x"]}
    for b in kept:
        sums[b] = []
        for a in terms[b]:
            of, operator = source[a], operators[a, b]
            body = "+".join(sorted(sums[of]))
            if of and reads[of] > 1:
                body = f"{names[of]}[{body}]"
            elif operator == SKIP:
                sums[b] += sums[of]
                continue
            sums[b].append(body if operator == SKIP else f"{operator}({body})")
    return "+".join(sorted(sums[source[3]]))


def _published_form(cell: Sequence[str]) -> str:
    """The text by which the authors' code tells cells apart: a skip connection is its source, nothing is `#` and still a term of a sum."""
    operators, nodes = dict(zip(EDGES, cell, strict=True)), ["0"]
    for b in (1, 2, 3):
        terms = []
        for a in range(b):
            nothing, skips = operators[a, b] == NONE or nodes[a] == "#", operators[a, b] == SKIP
            terms.append("#" if nothing else nodes[a] if skips else f"({nodes[a]})@{operators[a, b]}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def _rows(tokens: list[tuple[str, str]]) -> list[tuple[list[str], list[tuple[int, int]]]]:
    """The tokens of each node with its edges."""
    names = [operator for operator, _ in tokens]
    return [(names[first:last], list(EDGES[first:last])) for first, last in ((0, 1), (1, 3), (3, 6))]


def _cell(draw: Blueprint, part: str, x: str, operators: dict[tuple[int, int], str]) -> str:
    nodes: dict[int, str] = {0: x}
    for a, b in sorted(operators, key=lambda edge: (edge[1], edge[0])):
        y = _operator(draw, f"{part}/edge{a}-{b}", nodes[a], operators[a, b])
        nodes[b] = draw.add(f"{part}/node{b}.add{a}", nodes[b], y) if b in nodes else y
    return nodes[3] if 3 in nodes else draw.zeros(f"{part}/zeros", x)


def _operator(draw: Blueprint, name: str, x: str, operator: str) -> str:
    if operator == SKIP:
        return x
    if operator == "avg_pool_3x3":
        return draw.avg_pool(f"{name}.pool", x, 3)
    kernel = 3 if operator == "nor_conv_3x3" else 1
    return draw.conv(f"{name}.conv{kernel}", draw.activation(f"{name}.relu", x), draw.channels(x), kernel)


def _reduction(draw: Blueprint, part: str, x: str) -> str:
    """A residual block with twice the channels and half the side (He et al., CVPR 2016)."""
    channels = 2 * draw.channels(x)
    y = draw.conv(f"{part}/conv_a", draw.activation(f"{part}/relu_a", x), channels, 3, stride=2)
    y = draw.conv(f"{part}/conv_b", draw.activation(f"{part}/relu_b", y), channels, 3)
    shortcut = draw.conv(f"{part}/shortcut", draw.avg_pool(f"{part}/pool", x, 2, 2, padded=False), channels, norm=False)
    return draw.add(f"{part}/add", shortcut, y)
