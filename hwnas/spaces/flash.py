"""Residual and dense nets with skip channels: the family of FLASH (Li, Mandal, Ogras, Marculescu, ACM TECS 2021, section 3).

A network is a row of cells; a cell has a width, a depth, and a number of channels that skip layers. The paper counts more than 63 billion
configurations without saying which; here they are, for each of four cells independently,

    dense:    4 widths x 10 depths x 13 numbers of skip channels =  520 cells,  520^4 =  73,116,160,000 networks
    residual: 5 widths x 12 depths x  9 numbers of skip channels =  540 cells,  540^4 =  85,030,560,000 networks

Numbers of skip channels are multiples of the width, so that every one of them is another network at every width and depth.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, Choice, Part
from hwnas.spaces.blueprint import Blueprint
from hwnas.spaces.drawn import DrawnSpace


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell may choose: widths, depths, and skip channels as multiples of the width."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    skips: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CellShape:
    """One cell of one architecture: `skip` channels skip to each layer (dense) or over each block (residual), at most."""

    width: int
    depth: int
    skip: int


#: The cells of the named spaces: 16 channels and twice as many in every further cell, times a factor.
DENSE = tuple(
    Cell(
        tuple(8 * 2**c * k for k in (2, 3, 4, 5)), (5, 6, 7, 8, 9, 10, 12, 14, 16, 18), tuple(k / 8 for k in range(13))
    )
    for c in range(4)
)  # fmt: skip
RESIDUAL = tuple(Cell(tuple(8 * 2**c * k for k in (2, 3, 4, 5, 6)), tuple(range(1, 13)), tuple(k / 8 for k in range(9))) for c in range(4))


class FlashSpace(DrawnSpace):
    """Cells one after the other, all but the first beginning with stride 2; global pooling, a classifier.

    Choices: `cellC.width`, `cellC.depth`, `cellC.skip` of every cell. All convolutions are 3x3 with batch-norm and ReLU.
    """

    #: How many layers a cell has besides its entry and depth - 1 more.
    extra: int = 0

    def __init__(self, cells: Sequence[Cell], classes: int, channels: int, resolution: int) -> None:
        if classes < 2 or channels < 1 or not cells:
            raise InputError(
                f"{self.name} needs classes >= 2, positive channels and at least one cell, got {classes}, {channels}, {len(cells)}"
            )
        if resolution < 2 ** (len(cells) - 1):
            raise InputError(f"resolution {resolution} is too small: {len(cells)} cells need at least {2 ** (len(cells) - 1)}")
        self.cells, self.classes, self.input_shape = tuple(cells), classes, (channels, resolution, resolution)
        for cell in self.cells:
            self._check(cell)
        choices: list[Choice] = []
        parts: list[Part] = []
        for c, cell in enumerate(self.cells, 1):
            width, depth, skip = range(len(choices), len(choices) + 3)
            before = (width - 3,) if c > 1 else ()
            choices += [Choice(f"cell{c}.width", cell.widths), Choice(f"cell{c}.depth", cell.depths), Choice(f"cell{c}.skip", cell.skips)]
            parts.append(Part(f"cell{c}.entry", (*before, width)))
            for i in range(1, max(cell.depths) + self.extra):
                parts.append(Part(f"cell{c}.layer{i}", (width, skip) if i < min(cell.depths) + self.extra else (width, depth, skip)))
        self.choices, self.parts = tuple(choices), (*parts, Part("head", (len(choices) - 3,)))

    def _check(self, cell: Cell) -> None:
        odd = [(w, s) for w in cell.widths for s in cell.skips if not (w * s).is_integer() or s < 0]
        if odd:
            raise InputError(f"{self.name}: {odd[0][1]:g} times a width of {odd[0][0]} is no number of channels")
        if min(cell.depths) < 1 or max(cell.skips) > self._most(cell):
            raise InputError(f"{self.name}: a cell of depth {min(cell.depths)} has no use for {max(cell.skips):g} times its width in skips")

    @abstractmethod
    def _most(self, cell: Cell) -> float:
        """The largest number of skip channels, in widths, that makes a difference at the smallest depth."""

    @abstractmethod
    def _layers(self, draw: Blueprint, c: int, shape: CellShape, x: str) -> str:
        """Draws what follows the entry of a cell."""

    def shapes(self, arch: Sequence[int] | Archs) -> list[CellShape]:
        """The cells of one architecture, in order."""
        values = self.decode(np.asarray(arch))
        rows = [(int(values[f"cell{c}.width"]), int(values[f"cell{c}.depth"]), float(values[f"cell{c}.skip"])) for c in self._numbers()]
        return [CellShape(width, depth, round(width * skip)) for width, depth, skip in rows]

    def _numbers(self) -> range:
        return range(1, len(self.cells) + 1)

    def blueprint(self, arch: Sequence[int] | Archs) -> Blueprint:
        """The cells and the head."""
        draw, x = Blueprint(self.input_shape), "input"
        for c, shape in zip(self._numbers(), self.shapes(arch), strict=True):
            x = _conv(draw, f"cell{c}.entry/conv", x, shape.width, stride=1 if c == 1 else 2)
            x = self._layers(draw, c, shape, x)
        draw.linear("head/classifier", draw.global_pool("head/pool", x), self.classes)
        return draw

    def widest(self) -> Archs:
        """The largest architecture holds every layer at its full size."""
        return self.largest()

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        channels, resolution, _ = self.input_shape
        cells = [asdict(cell) for cell in self.cells]
        return {"kind": self.name, "cells": cells, "classes": self.classes, "channels": channels, "resolution": resolution}

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> FlashSpace:
        """The inverse of `spec`."""
        cells = [
            Cell(tuple(map(int, c["widths"])), tuple(map(int, c["depths"])), tuple(map(float, c["skips"]))) for c in spec["cells"]
        ]  # fmt: skip
        return cls(cells, int(spec["classes"]), int(spec["channels"]), int(spec["resolution"]))


class FlashDenseSpace(FlashSpace):
    """Dense cells: layer i >= 2 also reads channels of the layers before its predecessor, at most `skip` and at most all (i - 1) widths.

    The paper draws these channels at random; here they are those of the nearest layers, first channels first, because whole runs of
    channels need no kernel that gathers. NN-Degree counts links and does not see the difference: `links`.
    """

    name = "flash-dense"

    def _most(self, cell: Cell) -> float:
        return min(cell.depths) - 2

    def links(self, arch: Sequence[int] | Archs) -> npt.NDArray[np.int64]:
        """For every cell the channels that skip to any of its layers, `sum over i of min(skip, (i - 1) width)`; shape `(n_cells,)`."""
        counts = [sum(min(s.skip, (i - 1) * s.width) for i in range(2, s.depth)) for s in self.shapes(arch)]
        return np.array(counts, dtype=np.int64)

    def _layers(self, draw: Blueprint, c: int, shape: CellShape, x: str) -> str:
        before, most = [x], max(self.cells[c - 1].widths)
        for i in range(1, shape.depth):
            part = f"cell{c}.layer{i}"
            skips = _nearest(draw, part, before[-2::-1], min(shape.skip, max(i - 1, 0) * shape.width))
            wide = draw.concat(f"{part}/concat", [before[-1], *skips])
            extra = sum(map(draw.channels, skips))
            # Skip channels have columns of their own in the weights, wherever the width of the predecessor ends.
            columns = ((0, shape.width), (most, extra)) if extra else ()
            before.append(_conv(draw, f"{part}/conv", wide, shape.width, columns=columns))
        return before[-1]


class FlashResidualSpace(FlashSpace):
    """Residual cells: `depth` blocks of two convolutions over which the first `skip` channels are added (all of them: a ResNet)."""

    name = "flash-residual"
    extra = 1

    def _most(self, cell: Cell) -> float:
        return 1.0

    def _layers(self, draw: Blueprint, c: int, shape: CellShape, x: str) -> str:
        for i in range(1, shape.depth + 1):
            part = f"cell{c}.layer{i}"
            y = draw.conv(f"{part}/conv2", _conv(draw, f"{part}/conv1", x, shape.width), shape.width, 3)
            if shape.skip:
                y = draw.add(f"{part}/add", y, draw.widen(f"{part}/widen", draw.take(f"{part}/take", x, 0, shape.skip), shape.width))
            x = draw.activation(f"{part}/relu", y)
        return x


def _conv(draw: Blueprint, name: str, x: str, width: int, *, stride: int = 1, columns: tuple[tuple[int, int], ...] = ()) -> str:
    return draw.activation(f"{name}.relu", draw.conv(name, x, width, 3, stride=stride, columns=columns))


def _nearest(draw: Blueprint, part: str, layers: Sequence[str], number: int) -> list[str]:
    """`number` channels of these layers, the first layer first."""
    taken: list[str] = []
    for index, layer in enumerate(layers):
        share = min(number - sum(map(draw.channels, taken)), draw.channels(layer))
        if share < 1:
            break
        taken.append(draw.take(f"{part}/take{index}", layer, 0, share))
    return taken
