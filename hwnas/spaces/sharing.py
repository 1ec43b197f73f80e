"""The 64 children of the weight-sharing study (Zhang et al., Deeper Insights into Weight Sharing in NAS, 2020, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, Choice, Part
from hwnas.spaces.blueprint import Blueprint
from hwnas.spaces.cell_operators import operator, relu_conv
from hwnas.spaces.drawn import DrawnSpace

#: The operators by the digits 1 to 4 of a child's name.
OPERATORS = ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5")
EDGES = ((0, 1), (0, 2), (1, 2))


class SharingSpace(DrawnSpace):
    """Four equal cells of two nodes, three edges, four operators: 64 children named by the digits of their edges, `111` to `444`.

    As in the authors' code: the stem is two 3x3 convolutions, cells read the cell before them through a 1x1 convolution and hand on both
    nodes side by side, no cell changes the resolution, the fourth operator is the 5x5 dilated separable convolution (the text says 3x3, and
    the sum of the nodes). Unlike there, batch-norm has scale and shift, and none follows a pooling.
    """

    name = "sharing64"

    def __init__(self, classes: int, channels: int, resolution: int, *, width: int = 16, cells: int = 4, stem: int = 48) -> None:
        if classes < 2 or min(channels, resolution, width, cells, stem) < 1:
            raise InputError(
                f"sharing64 needs classes >= 2 and positive sizes, got {classes}, {channels}, {resolution}, {width}, {cells}, {stem}"
            )
        self.classes, self.width, self.cells, self.stem = classes, width, cells, stem
        self.input_shape = (channels, resolution, resolution)
        self.choices = tuple(Choice(f"edge{a}-{b}", OPERATORS) for a, b in EDGES)
        numbers = range(1, cells + 1)
        edges = (Part(f"cell{i}.edge{a}-{b}", (k,)) for i in numbers for k, (a, b) in enumerate(EDGES))
        self.parts = (Part("stem", ()), *(Part(f"cell{i}", ()) for i in numbers), *edges, Part("head", ()))

    def child(self, arch: Sequence[int] | Archs) -> str:
        """The name of one architecture, such as `434`."""
        return "".join(str(i + 1) for i in self.validate(np.asarray(arch))[0])

    def from_child(self, name: str) -> Archs:
        """The architecture of a name; shape `(1, 3)`."""
        if len(name) != len(EDGES) or not set(name) <= set("1234"):
            raise InputError(f"a child is named by three digits from 1 to 4, such as 434, got {name[:20]!r}")
        return self.validate([int(digit) - 1 for digit in name])

    def blueprint(self, arch: Sequence[int] | Archs) -> Blueprint:
        """Stem, cells, head."""
        draw, operators = Blueprint(self.input_shape), [OPERATORS[i] for i in self.validate(np.asarray(arch))[0]]
        x = draw.conv("stem/conv1", "input", self.stem, 3)
        x = relu_conv(draw, "stem/second", x, self.stem, 3)
        for i in range(1, self.cells + 1):
            nodes = [relu_conv(draw, f"cell{i}/input", x, self.width)]
            first, far, near = (f"cell{i}.edge{a}-{b}/{op}" for (a, b), op in zip(EDGES, operators, strict=True))
            nodes.append(operator(draw, first, nodes[0], operators[0]))
            last = operator(draw, near, nodes[1], operators[2])
            nodes.append(draw.add(f"cell{i}/add", operator(draw, far, nodes[0], operators[1]), last))
            x = draw.concat(f"cell{i}/concat", nodes[1:])
        draw.linear("head/classifier", draw.global_pool("head/pool", draw.activation("head/relu", x)), self.classes)
        return draw

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        channels, resolution, _ = self.input_shape
        sizes = {"width": self.width, "cells": self.cells, "stem": self.stem}
        return {"kind": self.name, "classes": self.classes, "channels": channels, "resolution": resolution, **sizes}

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> SharingSpace:
        """The inverse of `spec`."""
        sizes = {name: int(spec[name]) for name in ("width", "cells", "stem")}
        return cls(int(spec["classes"]), int(spec["channels"]), int(spec["resolution"]), **sizes)
