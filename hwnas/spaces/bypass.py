"""Channel-level bypass nets: depth and width in one choice (NetAdaptV2: Yang, Liao, Sze, CVPR 2021, section 3.1).

A layer with C input channels that keeps T of its M filters hands on Z = max(T, min(C, M)) channels: the first T are what its filters make,
the others are its input channels of the same index, unchanged. T = 0 is no layer at all.
"""

from __future__ import annotations

import math
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
class BypassStage:
    """Layers at one resolution: legal numbers of filters (without 0), kernels, and how many layers; the first has stride 2 or 1.

    The first layer changes the resolution, so that nothing can bypass it: it keeps at least the smallest number of filters.
    """

    filters: tuple[int, ...]
    kernels: tuple[int, ...]
    layers: int
    stride: int


#: The stages of the named space.
STAGES = tuple(BypassStage(tuple(c * k for k in (1, 2, 3, 4)), (3, 5), 4, stride) for c, stride in ((8, 1), (16, 2), (32, 2)))


class BypassSpace(DrawnSpace):
    """Stages of convolutions with batch-norm, ReLU and bypass, global pooling, a classifier.

    Choices: `stageS.layerL.filters` and `stageS.layerL.kernel` of every layer; the kernel of a layer without filters does nothing.
    """

    name = "bypass"

    def __init__(self, stages: Sequence[BypassStage], classes: int, channels: int, resolution: int) -> None:
        if classes < 2 or channels < 1 or not stages or any(min(*s.filters, s.layers) < 1 for s in stages):
            raise InputError(
                f"a bypass space needs classes >= 2, positive channels, and stages with filters and layers, got {classes}, {channels}"
            )
        shrink = math.prod(stage.stride for stage in stages)
        if resolution < shrink:
            raise InputError(f"resolution {resolution} is too small: the strides of this space need at least {shrink}")
        self.stages, self.classes, self.input_shape = tuple(stages), classes, (channels, resolution, resolution)
        choices: list[Choice] = []
        parts: list[Part] = []
        before: tuple[int, ...] = ()
        for s, stage in enumerate(self.stages, 1):
            widths: tuple[int, ...] = ()
            for i in range(1, stage.layers + 1):
                filters, kernel = len(choices), len(choices) + 1
                legal = stage.filters if i == 1 else (0, *stage.filters)
                choices += [Choice(f"stage{s}.layer{i}.filters", legal), Choice(f"stage{s}.layer{i}.kernel", stage.kernels)]
                widths += (filters,)
                # How many channels come in is decided by all layers since the last one that nothing can bypass.
                parts.append(Part(f"stage{s}.layer{i}", (*(before if i == 1 else widths[:-1]), filters, kernel)))
            before = widths
        self.choices, self.parts = tuple(choices), (*parts, Part("head", before))

    def active(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """The kernel of a layer without filters does nothing."""
        mask = np.ones(archs.shape, dtype=bool)
        for filters in range(0, len(self.choices), 2):
            if self.choices[filters].values[0] == 0:
                mask[:, filters + 1] = archs[:, filters] > 0
        return mask

    @property
    def size(self) -> int:
        """Exact: per stage, `f k (1 + f k) ^ (layers - 1)` for f numbers of filters and k kernels."""
        options = [(len(s.filters) * len(s.kernels), s.layers) for s in self.stages]
        return math.prod(o * (1 + o) ** (layers - 1) for o, layers in options)

    def blueprint(self, arch: Sequence[int] | Archs) -> Blueprint:
        """Layers with filters, the bypassed channels behind what they make."""
        draw, x, values = Blueprint(self.input_shape), "input", self.decode(np.asarray(arch))
        for s, stage in enumerate(self.stages, 1):
            for i in range(1, stage.layers + 1):
                name = f"stage{s}.layer{i}"
                if filters := int(values[f"{name}.filters"]):
                    x = _layer(draw, name, x, filters, int(values[f"{name}.kernel"]), None if i > 1 else stage.stride)
        draw.linear("head/classifier", draw.global_pool("head/pool", x), self.classes)
        return draw

    def widest(self) -> Archs:
        """The largest architecture holds every layer at its full size."""
        return self.largest()

    def supernet(self) -> Any:
        """The super-network that runs the drawings, or a sub-net for every image. Imports torch."""
        from hwnas.supernet.bypass import BypassSupernet

        return BypassSupernet(self)

    def spec(self) -> dict[str, Any]:
        """The constructor's arguments as JSON, with the name of the kind."""
        channels, resolution, _ = self.input_shape
        stages = [asdict(stage) for stage in self.stages]
        return {"kind": self.name, "stages": stages, "classes": self.classes, "channels": channels, "resolution": resolution}

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> BypassSpace:
        """The inverse of `spec`."""
        stages = [
            BypassStage(tuple(map(int, s["filters"])), tuple(map(int, s["kernels"])), int(s["layers"]), int(s["stride"]))
            for s in spec["stages"]
        ]
        return cls(stages, int(spec["classes"]), int(spec["channels"]), int(spec["resolution"]))


def _layer(draw: Blueprint, name: str, x: str, filters: int, kernel: int, stride: int | None) -> str:
    """One layer; nothing bypasses it when there is a stride."""
    y = draw.activation(f"{name}/relu", draw.conv(f"{name}/conv", x, filters, kernel, stride=stride or 1))
    channels = draw.channels(x)
    if stride is not None or filters >= channels:
        return y
    return draw.concat(f"{name}/concat", [y, draw.take(f"{name}/bypass", x, filters, channels - filters)])
