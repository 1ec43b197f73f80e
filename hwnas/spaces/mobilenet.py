"""The elastic MobileNet space: inverted bottlenecks with elastic kernel, expansion, depth and width.

Blocks as in MobileNetV2 (Sandler et al., CVPR 2018, section 3.2); elastic kernel, expansion and depth as in Once-for-All (Cai et al.,
ICLR 2020, section 3.2); elastic width per stage as in slimmable networks (Yu et al., ICLR 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.operators import Network, Tensor
from hwnas.spaces.base import Archs, Choice, Part, SearchSpace


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks at one resolution: the legal output widths, numbers of blocks, kernel sizes and expansion ratios, and the first stride."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    stride: int

    @property
    def max_depth(self) -> int:
        """The number of blocks that the super-network holds."""
        return max(self.depths)


@dataclass(frozen=True, slots=True)
class Block:
    """One active block of one architecture: everything that its shapes depend on."""

    name: str
    c_in: int
    c_out: int
    kernel: int
    expansion: int
    stride: int

    @property
    def hidden(self) -> int:
        """Channels of the depthwise convolution."""
        return self.c_in * self.expansion

    @property
    def expands(self) -> bool:
        """Whether there is a first 1x1 convolution; an expansion of 1 has none."""
        return self.expansion > 1

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.c_in == self.c_out


#: For small images. Channels are few, so that accuracy has to be bought with depth and expansion: networks of a quarter of the time
#: of the largest miss a good part of the images.
SMALL = (
    Stage(widths=(4, 8, 16), depths=(1, 2), kernels=(3, 5), expansions=(1, 2, 4), stride=1),
    Stage(widths=(4, 12, 24), depths=(1, 2, 3), kernels=(3, 5), expansions=(1, 3, 6), stride=2),
    Stage(widths=(8, 24, 48), depths=(1, 2, 3), kernels=(3, 5), expansions=(1, 3, 6), stride=2),
)


class MobileNetSpace(SearchSpace):
    """Stem, stages of inverted bottlenecks, head.

    Choices, stage by stage: `stageS.width`, `stageS.depth`, then `stageS.blockB.kernel` and `stageS.blockB.expansion` of every block.
    """

    name = "mobilenet"

    def __init__(self, stages: Sequence[Stage], classes: int, channels: int, resolution: int, stem: int = 4, head: int = 32) -> None:
        if classes < 2 or channels < 1 or stem < 1 or head < 1:
            raise InputError(
                f"a MobileNet space needs classes >= 2 and positive channels, stem and head, got {classes}, {channels}, {stem}, {head}"
            )
        shrink = 2 * math.prod(stage.stride for stage in stages)
        if resolution < shrink:
            raise InputError(f"resolution {resolution} is too small: the strides of this space need at least {shrink}")
        self.stages, self.classes, self.stem, self.head = tuple(stages), classes, stem, head
        self.input_shape = (channels, resolution, resolution)
        choices: list[Choice] = []
        parts = [Part("stem", ())]
        before: tuple[int, ...] = ()
        for s, stage in enumerate(self.stages, 1):
            width, depth = len(choices), len(choices) + 1
            choices += [Choice(f"stage{s}.width", stage.widths), Choice(f"stage{s}.depth", stage.depths)]
            for b in range(1, stage.max_depth + 1):
                own = (len(choices), len(choices) + 1)
                choices += [Choice(f"stage{s}.block{b}.kernel", stage.kernels), Choice(f"stage{s}.block{b}.expansion", stage.expansions)]
                first = (*before, width) if b == 1 else (width,)
                exists = (depth,) if b > min(stage.depths) else ()
                parts.append(Part(f"stage{s}.block{b}", first + exists + own))
            before = (width,)
        parts.append(Part("head", before))
        self.choices, self.parts = tuple(choices), tuple(parts)
        self._column = {choice.name: i for i, choice in enumerate(self.choices)}

    def active(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Kernel and expansion of blocks beyond the depth do nothing."""
        mask = np.ones(archs.shape, dtype=bool)
        for s, stage in enumerate(self.stages, 1):
            depth = np.array(stage.depths)[archs[:, self._column[f"stage{s}.depth"]]]
            for b in range(1, stage.max_depth + 1):
                first = self._column[f"stage{s}.block{b}.kernel"]
                mask[:, first : first + 2] = (b <= depth)[:, None]
        return mask

    @property
    def size(self) -> int:
        """Exact: per stage, widths times the sum over depths of (kernels x expansions) ^ depth."""
        return math.prod(len(s.widths) * sum((len(s.kernels) * len(s.expansions)) ** d for d in s.depths) for s in self.stages)

    def blocks(self, arch: Sequence[int] | Archs) -> list[Block]:
        """The active blocks of one architecture, in order."""
        values = self.decode(np.asarray(arch))
        result: list[Block] = []
        c_in = self.stem
        for s, stage in enumerate(self.stages, 1):
            width = int(values[f"stage{s}.width"])
            for b in range(1, int(values[f"stage{s}.depth"]) + 1):
                name = f"stage{s}.block{b}"
                kernel, expansion = int(values[f"{name}.kernel"]), int(values[f"{name}.expansion"])
                result.append(Block(name, c_in, width, kernel, expansion, stage.stride if b == 1 else 1))
                c_in = width
        return result

    def network(self, arch: Sequence[int] | Archs) -> Network:
        """Batch-norm is folded into the convolutions, as every exporter and runtime does."""
        net = NetworkBuilder(
            f"{self.name}-{'.'.join(map(str, np.asarray(arch).ravel().tolist()))}", {"input": Tensor((1, *self.input_shape))}
        )
        x = net.activation("stem/relu", net.conv("stem/conv", "input", self.stem, 3, 2))
        for block in self.blocks(arch):
            p, y = block.name, x
            if block.expands:
                y = net.activation(f"{p}/expand.relu", net.conv(f"{p}/expand", y, block.hidden, 1))
            y = net.activation(f"{p}/depthwise.relu", net.conv(f"{p}/depthwise", y, block.hidden, block.kernel, block.stride, block.hidden))
            y = net.conv(f"{p}/project", y, block.c_out, 1)
            x = net.add(f"{p}/add", x, y) if block.residual else y
        x = net.activation("head/relu", net.conv("head/conv", x, self.head, 1))
        x = net.flatten("head/flatten", net.global_pool("head/pool", x))
        return net.build(net.linear("head/classifier", x, self.classes))

    def supernet(self) -> Any:
        """The elastic super-network of this space. Imports torch."""
        from hwnas.supernet.mobilenet import MobileNetSupernet

        return MobileNetSupernet(self)

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        return {
            "kind": self.name, "stages": [asdict(stage) for stage in self.stages], "classes": self.classes,
            "channels": self.input_shape[0], "resolution": self.input_shape[1], "stem": self.stem, "head": self.head,
        }  # fmt: skip

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> MobileNetSpace:
        """The inverse of `spec`."""
        stages = [
            Stage(tuple(s["widths"]), tuple(s["depths"]), tuple(s["kernels"]), tuple(s["expansions"]), int(s["stride"]))
            for s in spec["stages"]
        ]
        return cls(stages, int(spec["classes"]), int(spec["channels"]), int(spec["resolution"]), int(spec["stem"]), int(spec["head"]))
