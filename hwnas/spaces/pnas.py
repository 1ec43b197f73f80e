"""Cells of blocks that add two operators on two inputs, grown block by block (PNAS: Liu et al., ECCV 2018, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from hwnas.spaces.base import Archs, Choice, Part
from hwnas.spaces.blueprint import Blueprint
from hwnas.spaces.cell_operators import OPERATORS as KNOWN
from hwnas.spaces.cell_operators import operator, relu_conv
from hwnas.spaces.drawn import DrawnSpace

#: The eight operators of the paper.
OPERATORS = (
    "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "conv_1x7_7x1", "dil_conv_3x3", "avg_pool_3x3", "max_pool_3x3", "identity",
)  # fmt: skip
INPUTS = ("previous", "current")


class PNASSpace(DrawnSpace):
    """Stem, three stages of `repeats` cells with a cell of stride 2 and twice the channels between them, global pooling, a classifier.

    Choices of every block b: `blockB.left.input`, `blockB.left.operator` and the same for `right`; inputs are the outputs of the last two
    cells, both brought to the cell's channels by a 1x1 convolution, and the blocks before. Cells of stride 2 have the same blocks, or with
    `reduction=True` (as in DARTS) choices of their own; the names then begin with `normal.` and `reduction.`. The output is all blocks side
    by side, as in the published PNASNet-5. A block does not change when left and right are exchanged: the canonical form has the lower
    pair of input and operator left. That cells are equal whose blocks come in another order is not used. Weights belong to an operator
    on an input, so they differ between the inputs of a block. Both inputs are projected also where no block reads one of them, so that the
    price of a block is its own; runtimes leave such a projection out, and a cost table then reports a deviation.
    """

    name = "pnas-cell"

    def __init__(
        self,
        classes: int,
        channels: int,
        resolution: int,
        *,
        blocks: int = 5,
        repeats: int = 2,
        width: int = 24,
        reduction: bool = False,
        operators: Sequence[str] = OPERATORS,
    ) -> None:
        if classes < 2 or min(channels, blocks, repeats, width) < 1:
            raise InputError(f"pnas-cell needs classes >= 2 and positive sizes, got {classes}, {channels}, {blocks}, {repeats}, {width}")
        if resolution < 4:
            raise InputError(f"resolution {resolution} is too small: the strides of this space need at least 4")
        for name in operators:
            if name not in KNOWN:
                raise unknown("operator", name, KNOWN)
        if not operators or len(set(operators)) < len(operators):
            raise InputError(f"pnas-cell needs different operators, got {', '.join(operators) or 'none'}")
        self.classes, self.blocks, self.repeats, self.width, self.reduction = classes, blocks, repeats, width, reduction
        self.operators = tuple(operators)
        self.input_shape = (channels, resolution, resolution)
        self.choices = tuple(
            Choice(f"{prefix}block{b}.{side}.{what}", (*INPUTS, *(f"block{i}" for i in range(1, b))) if what == "input" else self.operators)
            for prefix in (("normal.", "reduction.") if reduction else ("",))
            for b in range(1, blocks + 1)
            for side in ("left", "right")
            for what in ("input", "operator")
        )
        self.kinds = ([False] * repeats + [True]) * 2 + [False] * repeats
        parts = [Part("stem", ())]
        for i, strided in enumerate(self.kinds, 1):
            first = 4 * blocks if strided and reduction else 0
            parts += [Part(f"cell{i}.block{b + 1}", tuple(range(first + 4 * b, first + 4 * b + 4))) for b in range(blocks)]
            parts += [Part(f"cell{i}", ())]
        self.parts = (*parts, Part("head", ()))

    @property
    def size(self) -> int:
        """Exact: per block of p pairs of input and operator, `p (p + 1) / 2`."""
        pairs = [(b + 1) * len(self.operators) for b in range(1, self.blocks + 1)]
        return math.prod(p * (p + 1) // 2 for p in pairs) ** (2 if self.reduction else 1)

    def canonical(self, archs: npt.ArrayLike) -> Archs:
        """In every block the lower pair of input and operator left; shape `(n, n_choices)`."""
        checked = self.validate(archs)
        pairs = checked.reshape(len(checked), -1, 2, 2)  # row, block, side, input and operator
        rank = pairs[..., 0] * len(self.operators) + pairs[..., 1]
        swap = (rank[..., 0] > rank[..., 1])[..., None, None]
        return np.asarray(np.where(swap, pairs[:, :, ::-1], pairs).reshape(checked.shape))

    def grown(self) -> PNASSpace:
        """The same space with one more block. An architecture here, followed by four more choices, is one there."""
        if self.reduction:
            raise InputError("a space whose cells of stride 2 have choices of their own does not grow")
        channels, resolution, _ = self.input_shape
        return PNASSpace(
            self.classes, channels, resolution, blocks=self.blocks + 1, repeats=self.repeats, width=self.width, operators=self.operators
        )

    def expansions(self, archs: npt.ArrayLike) -> Archs:
        """All canonical architectures of `grown()` that begin with one of these; shape `(n * p * (p + 1) / 2, 4 (blocks + 1))`."""
        rows, ops = self.canonical(archs), len(self.operators)
        pairs = [divmod(rank, ops) for rank in range((self.blocks + 2) * ops)]
        last = np.array([(*a, *b) for i, a in enumerate(pairs) for b in pairs[i:]], dtype=np.int64)
        return np.hstack([np.repeat(rows, len(last), axis=0), np.tile(last, (len(rows), 1))])

    def blueprint(self, arch: Sequence[int] | Archs) -> Blueprint:
        """Stem, cells, head."""
        draw, row = Blueprint(self.input_shape), self.canonical(np.asarray(arch))[0].tolist()
        normal, reduction = row[: 4 * self.blocks], row[-4 * self.blocks :]
        width, x = self.width, draw.conv("stem/conv", "input", self.width, 3)
        previous = x
        for i, strided in enumerate(self.kinds, 1):
            width *= 2 if strided else 1
            previous, x = x, self._cell(draw, f"cell{i}", previous, x, reduction if strided else normal, width, 2 if strided else 1)
        draw.linear("head/classifier", draw.global_pool("head/pool", draw.activation("head/relu", x)), self.classes)
        return draw

    def _cell(self, draw: Blueprint, part: str, previous: str, current: str, row: list[int], width: int, stride: int) -> str:
        shrink = 2 if draw.shapes[previous][1] > draw.shapes[current][1] else 1
        values = [relu_conv(draw, f"{part}/previous", previous, width, stride=shrink), relu_conv(draw, f"{part}/current", current, width)]
        names = [*INPUTS, *(f"block{b}" for b in range(1, self.blocks + 1))]
        for b in range(self.blocks):
            block, sides = f"{part}.block{b + 1}", []
            for side, (x, op) in (("left", row[4 * b : 4 * b + 2]), ("right", row[4 * b + 2 : 4 * b + 4])):
                name = f"{block}/{side}.{names[x]}.{self.operators[op]}"
                sides.append(operator(draw, name, values[x], self.operators[op], stride if x < len(INPUTS) else 1))
            values.append(draw.add(f"{block}/add", *sides))
        return draw.concat(f"{part}/concat", values[len(INPUTS) :])

    def widest(self) -> Archs:
        """Every operator on every input, on both sides."""
        blocks = np.arange(1, self.blocks + 1)
        rows = [
            np.stack(
                [np.minimum(x, blocks), np.full(self.blocks, left), np.minimum(y, blocks), np.full(self.blocks, right)], axis=1
            ).ravel()
            for x, y, left, right in self._placements()
        ]
        return np.tile(np.array(rows, dtype=np.int64), (1, 2 if self.reduction else 1))

    def _placements(self) -> list[tuple[int, int, int, int]]:
        """Inputs and operators left and right that, block by block, put every operator on every input on both sides in canonical order."""
        last = len(self.operators) - 1
        inputs = range(self.blocks + 1)
        return [(x, self.blocks, op, last) for x in inputs for op in range(last + 1)] + [
            (0, x, 0, op) for x in inputs for op in range(last + 1)
        ]

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        channels, resolution, _ = self.input_shape
        sizes = {
            "blocks": self.blocks,
            "repeats": self.repeats,
            "width": self.width,
            "reduction": self.reduction,
            "operators": list(self.operators),
        }
        return {"kind": self.name, "classes": self.classes, "channels": channels, "resolution": resolution, **sizes}

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> PNASSpace:
        """The inverse of `spec`."""
        sizes = {name: int(spec[name]) for name in ("blocks", "repeats", "width")}
        return cls(
            int(spec["classes"]),
            int(spec["channels"]),
            int(spec["resolution"]),
            **sizes,
            reduction=bool(spec["reduction"]),
            operators=spec["operators"],
        )
