"""The elastic MobileNet space: inverted bottlenecks with elastic kernel, expansion, depth, width and image resolution.

Blocks as in MobileNetV2 (Sandler et al., CVPR 2018, section 3.2), with the squeeze-excite and activations of MobileNetV3 (Howard et al.,
ICCV 2019, section 5) as options; elastic kernel, expansion, depth and resolution as in Once-for-All (Cai et al., ICLR 2020, section 3.2);
elastic width per stage as in slimmable networks (Yu et al., ICLR 2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.operators import Network, Tensor
from hwnas.spaces.base import Archs, Choice, Part, SearchSpace, Value
from hwnas.spaces.mobilenet_blocks import Block, Stage

#: For small images. Channels are few, so that accuracy has to be bought with depth and expansion: networks of a quarter of the time
#: of the largest miss a good part of the images.
SMALL = (
    Stage(widths=(4, 8, 16), depths=(1, 2), kernels=(3, 5), expansions=(1, 2, 4), stride=1),
    Stage(widths=(4, 12, 24), depths=(1, 2, 3), kernels=(3, 5), expansions=(1, 3, 6), stride=2),
    Stage(widths=(8, 24, 48), depths=(1, 2, 3), kernels=(3, 5), expansions=(1, 3, 6), stride=2),
)

#: For images of 32 pixels and more, with a choice of resolution: channels as in MobileNetV2, squeeze-excite where they are many.
ELASTIC = (
    Stage(widths=(12, 16, 24), depths=(1, 2), kernels=(3, 5), expansions=(1, 3), stride=1),
    Stage(widths=(16, 24, 32), depths=(1, 2, 3), kernels=(3, 5, 7), expansions=(3, 4, 6), stride=2),
    Stage(widths=(32, 48, 64), depths=(1, 2, 3, 4), kernels=(3, 5, 7), expansions=(3, 4, 6), stride=2, squeeze=True),
    Stage(widths=(64, 96, 128), depths=(1, 2, 3), kernels=(3, 5, 7), expansions=(3, 4, 6), stride=1, squeeze=True),
)


class MobileNetSpace(SearchSpace):
    """Stem, stages of inverted bottlenecks, head.

    Choices: `resolution` when there are several, then stage by stage `stageS.width`, `stageS.depth`, and `stageS.blockB.kernel` and
    `stageS.blockB.expansion` of every block. What has one legal value only is no choice.

    `resolutions` are the sides of the images that a network may work on, the largest of them that of the data. `mix` puts a convolution
    of that many channels behind the global pooling (MobileNetV3); `activation` is that of stem and head. With
    `kernel_transforms` the super-network learns how smaller kernels are made of larger ones (Once-for-All, section 3.3); networks stay the
    same.
    """

    kind = "mobilenet"

    def __init__(
        self,
        stages: Sequence[Stage],
        classes: int,
        channels: int,
        resolution: int,
        stem: int = 4,
        head: int = 32,
        *,
        mix: int = 0,
        activation: str = "Relu",
        resolutions: Sequence[int] = (),
        kernel_transforms: bool = False,
        name: str = kind,
    ) -> None:
        if classes < 2 or channels < 1 or stem < 1 or head < 1 or mix < 0:
            raise InputError(
                f"a MobileNet space needs classes >= 2 and positive channels, stem and head, got {classes}, {channels}, {stem}, {head}"
            )
        sides, shrink = tuple(resolutions) or (resolution,), 2 * math.prod(stage.stride for stage in stages)
        if min(sides) < shrink:
            raise InputError(f"resolution {min(sides)} is too small: the strides of this space need at least {shrink}")
        if max(sides) != resolution or sorted(set(sides)) != list(sides):
            raise InputError(f"resolutions must rise to that of the images, {resolution}, got {', '.join(map(str, sides))}")
        self.stages, self.classes, self.stem, self.head = tuple(stages), classes, stem, head
        self.mix, self.activation, self.resolutions, self.name = mix, activation, sides, name
        self.kernel_transforms = kernel_transforms
        self.input_shape = (channels, resolution, resolution)
        self._fixed: dict[str, Value] = {}
        self._column: dict[str, int] = {}
        self.choices, self.parts = (), ()
        self._lay_out()

    def _lay_out(self) -> None:
        """Choices and parts; every part depends on the resolution, a block also on its width and on the one before."""
        side = self._choose("resolution", self.resolutions)
        parts: list[Part] = [Part("stem", side)]
        before: tuple[int, ...] = ()
        for s, stage in enumerate(self.stages, 1):
            width, depth = self._choose(f"stage{s}.width", stage.widths), self._choose(f"stage{s}.depth", stage.depths)
            for b in range(1, stage.max_depth + 1):
                own = self._choose(f"stage{s}.block{b}.kernel", stage.kernels)
                own += self._choose(f"stage{s}.block{b}.expansion", stage.expansions)
                first = (*before, *width) if b == 1 else width
                parts.append(Part(f"stage{s}.block{b}", side + first + (depth if b > min(stage.depths) else ()) + own))
            before = width
        self.parts = (*parts, Part("head", side + before))
        self._lay_out_depths()

    def _lay_out_depths(self) -> None:
        """For every choice: the number of its block (0: it always counts), the column of the depth that decides, and the legal depths."""
        n = len(self.choices)
        self._block_number, self._depth_column = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self._depths = np.zeros((n, max((len(choice.values) for choice in self.choices), default=1)), dtype=np.int64)
        for s, stage in enumerate(self.stages, 1):
            column = self._column.get(f"stage{s}.depth")
            for b in range(1, stage.max_depth + 1):
                for own in ("kernel", "expansion"):
                    index = self._column.get(f"stage{s}.block{b}.{own}")
                    if column is not None and index is not None:
                        self._block_number[index], self._depth_column[index] = b, column
                        self._depths[index, : len(stage.depths)] = stage.depths

    def _choose(self, name: str, values: Sequence[int]) -> tuple[int, ...]:
        """The index of a new choice, or none where there is nothing to choose."""
        if len(values) == 1:
            self._fixed[name] = values[0]
            return ()
        self._column[name] = len(self.choices)
        self.choices += (Choice(name, tuple(values)),)
        return (self._column[name],)

    def active(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Kernel and expansion of blocks beyond the depth do nothing."""
        depth = self._depths[np.arange(len(self.choices)), archs[:, self._depth_column]]
        result: npt.NDArray[np.bool_] = depth >= self._block_number
        return result

    @property
    def size(self) -> int:
        """Exact: resolutions times, per stage, widths times the sum over depths of (kernels x expansions) ^ depth."""
        stages = (len(s.widths) * sum((len(s.kernels) * len(s.expansions)) ** d for d in s.depths) for s in self.stages)
        return int(len(self.resolutions) * math.prod(stages))

    def values(self, arch: Sequence[int] | Archs) -> dict[str, int]:
        """What `decode` says, and what there is no choice about, by name."""
        return {name: int(value) for name, value in (self._fixed | self.decode(np.asarray(arch))).items()}

    def blocks(self, arch: Sequence[int] | Archs) -> list[Block]:
        """The active blocks of one architecture, in order."""
        return self.blocks_of(self.values(arch))

    def blocks_of(self, values: Mapping[str, int]) -> list[Block]:
        """The active blocks by what `values` says, in order."""
        result: list[Block] = []
        c_in = self.stem
        for s, stage in enumerate(self.stages, 1):
            width = values[f"stage{s}.width"]
            for b in range(1, values[f"stage{s}.depth"] + 1):
                name = f"stage{s}.block{b}"
                kernel, expansion, stride = values[f"{name}.kernel"], values[f"{name}.expansion"], stage.stride if b == 1 else 1
                result.append(Block(name, c_in, width, kernel, expansion, stride, stage.squeeze, stage.activation))
                c_in = width
        return result

    def image_shape(self, arch: Sequence[int] | Archs) -> tuple[int, int, int]:
        """Channels, height and width at the resolution of the architecture."""
        side = self.values(arch)["resolution"]
        return (self.input_shape[0], side, side)

    def network(self, arch: Sequence[int] | Archs) -> Network:
        """Batch-norm is folded into the convolutions, as every exporter and runtime does."""
        name = f"{self.name}-{'.'.join(map(str, np.asarray(arch).ravel().tolist()))}"
        net = NetworkBuilder(name, {"input": Tensor((1, *self.image_shape(arch)))})
        x = _activation(net, "stem", net.conv("stem/conv", "input", self.stem, 3, 2), self.activation)
        for block in self.blocks(arch):
            x = _block(net, block, x)
        x = net.global_pool("head/pool", _activation(net, "head", net.conv("head/conv", x, self.head, 1), self.activation))
        if self.mix:
            weight = {"weight": Tensor((self.mix, self.head, 1, 1), constant=True)}
            x = net.node("Conv", "head/mix", (x,), (1, self.mix, 1, 1), weight, kernel_shape=(1, 1))
            x = _activation(net, "head/mix", x, self.activation)
        return net.build(net.linear("head/classifier", net.flatten("head/flatten", x), self.classes))

    def supernet(self) -> Any:
        """The elastic super-network of this space. Imports torch."""
        from hwnas.supernet.mobilenet import MobileNetSupernet

        return MobileNetSupernet(self)

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        return {
            "kind": self.kind, "name": self.name, "stages": [asdict(stage) for stage in self.stages], "classes": self.classes,
            "channels": self.input_shape[0], "resolution": self.input_shape[1], "stem": self.stem, "head": self.head,
            "mix": self.mix, "activation": self.activation, "resolutions": list(self.resolutions),
        } | ({"kernel_transforms": True} if self.kernel_transforms else {})  # fmt: skip

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> MobileNetSpace:
        """The inverse of `spec`."""
        return cls(
            [Stage.from_json(stage) for stage in spec["stages"]], int(spec["classes"]), int(spec["channels"]), int(spec["resolution"]),
            int(spec["stem"]), int(spec["head"]), mix=int(spec.get("mix", 0)), activation=str(spec.get("activation", "Relu")),
            resolutions=tuple(map(int, spec.get("resolutions", ()))), name=str(spec.get("name", cls.kind)),
            kernel_transforms=bool(spec.get("kernel_transforms", False)),
        )  # fmt: skip


def _activation(net: NetworkBuilder, scope: str, x: str, kind: str) -> str:
    return net.activation(f"{scope}/{kind.lower()}" if "/" not in scope else f"{scope}.{kind.lower()}", x, kind)


def _block(net: NetworkBuilder, block: Block, x: str) -> str:
    """Expand, depthwise, squeeze-excite where there is one, project; the input is added where shapes allow."""
    p, y = block.name, x
    if block.expands:
        y = _activation(net, f"{p}/expand", net.conv(f"{p}/expand", y, block.hidden, 1), block.activation)
    y = net.conv(f"{p}/depthwise", y, block.hidden, block.kernel, block.stride, block.hidden)
    y = _activation(net, f"{p}/depthwise", y, block.activation)
    if block.squeeze:
        gate = net.conv(f"{p}/squeeze.reduce", net.global_pool(f"{p}/squeeze.pool", y), block.squeezed, 1)
        gate = net.conv(f"{p}/squeeze.expand", net.activation(f"{p}/squeeze.relu", gate), block.hidden, 1)
        shape = net.values[gate].shape
        gate = net.node("HardSigmoid", f"{p}/squeeze.hardsigmoid", (gate,), shape, alpha=1 / 6)
        y = net.node("Mul", f"{p}/squeeze.scale", (y, gate), net.values[y].shape)
    y = net.conv(f"{p}/project", y, block.c_out, 1)
    return net.add(f"{p}/add", x, y) if block.residual else y
