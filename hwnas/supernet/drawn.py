"""The super-network of any space whose networks are drawn: it runs the drawing of the active architecture on shared layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hwnas.spaces.blueprint import Layer, extent
from hwnas.spaces.drawn import DrawnSpace
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d, ElasticLinear
from hwnas.supernet.initialise import initialise

#: Drawings that are kept: some architectures come in every step, such as the largest one, and drawing takes milliseconds.
DRAWINGS = 64
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Relu": F.relu, "HardSwish": F.hardswish, "HardSigmoid": F.hardsigmoid, "Sigmoid": torch.sigmoid,
}  # fmt: skip


class ElasticLayer(nn.Module):
    """A layer of a drawing with weights: a convolution with or without batch-norm, a batch-norm, or a fully connected layer."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        channels = layer.shape[0]
        self.conv = self.norm = self.linear = None
        if layer.kind == "conv":
            self.conv = ElasticConv2d(
                extent(layer), channels, layer.kernel,
                stride=layer.stride, depthwise=layer.depthwise, dilation=layer.dilation, bias=layer.bias,
            )  # fmt: skip
        if layer.kind == "linear":
            self.linear = ElasticLinear(layer.c_in, channels)
        if layer.kind == "norm" or layer.norm:
            self.norm = ElasticBatchNorm2d(channels)

    def select(self, layer: Layer) -> None:
        """Takes the shapes of `layer` from now on."""
        if self.conv is not None:
            self.conv.select(layer.c_in, layer.shape[0], layer.kernel, layer.columns)
        if self.norm is not None:
            self.norm.select(layer.shape[0])
        if self.linear is not None:
            self.linear.select(layer.c_in, layer.shape[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What there is of convolution, batch-norm and fully connected layer, in this order, of `(n, c, h, w)` or `(n, features)`."""
        for module in (self.conv, self.norm, self.linear):
            if module is not None:
                x = module(x)
        return x

    def build(self) -> nn.Sequential:
        """The plain layers, by name."""
        found = {"conv": self.conv, "norm": self.norm, "linear": self.linear}
        return nn.Sequential(OrderedDict((name, module.build()) for name, module in found.items() if module is not None))


@dataclass(frozen=True, slots=True)
class Step:
    """One layer to run, and the values that nothing reads after it."""

    layer: Layer
    key: str
    last_used: tuple[str, ...]


def steps(layers: Sequence[Layer]) -> list[Step]:
    """The layers in order, each with what may be forgotten after it."""
    reader = {x: index for index, layer in enumerate(layers) for x in layer.inputs}
    return [
        Step(layer, module_name(layer.name), tuple(x for x in dict.fromkeys(layer.inputs) if reader[x] == index))
        for index, layer in enumerate(layers)
    ]


def module_name(layer: str) -> str:
    """The name of a layer as that of a module: torch does not allow dots."""
    return layer.replace(".", "_").replace("/", "__")


def _piece(layer: str) -> str:
    """The piece of the network to which a layer belongs: the first word of its part, such as `cell1` of `cell1.edge0-1`."""
    return layer.partition("/")[0].partition(".")[0]


def run(program: Sequence[Step], modules: Mapping[str, nn.Module] | nn.ModuleDict, images: torch.Tensor) -> torch.Tensor:
    """Runs a drawing with these modules for its layers with weights; returns the result of the last layer."""
    values = {"input": images}
    result = images
    for step in program:
        inputs = [values[name] for name in step.layer.inputs]
        result = modules[step.key](inputs[0]) if step.key in modules else _compute(step.layer, inputs)
        for name in step.last_used:
            del values[name]
        values[step.layer.name] = result
    return result


def _compute(layer: Layer, inputs: list[torch.Tensor]) -> torch.Tensor:
    """A layer without weights."""
    x = inputs[0]
    match layer.kind:
        case "add":
            return x + inputs[1]
        case "concat":
            return torch.cat(inputs, 1)
        case "take":
            return x[:, layer.start : layer.start + layer.shape[0]]
        case "widen":
            return F.pad(x, (0, 0, 0, 0, 0, layer.shape[0] - x.shape[1]))
        case "zeros":
            return x - x
        case "max_pool":
            return F.max_pool2d(x, layer.kernel, layer.stride, layer.start)
        case "avg_pool":
            return F.avg_pool2d(x, layer.kernel, layer.stride, layer.start, count_include_pad=False)
        case "global_pool":
            return F.adaptive_avg_pool2d(x, 1).flatten(1)
    return _ACTIVATIONS[layer.kind](x)


class DrawnNet(nn.Module):
    """The plain network of one drawing: `layers` by name, run in the order of the drawing."""

    def __init__(self, program: Sequence[Step], layers: dict[str, nn.Module]) -> None:
        super().__init__()
        self.program, self.layers = tuple(program), nn.ModuleDict(layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of pixels 0..1, `(n, c, h, w)`."""
        return run(self.program, self.layers, images)


class DrawnSupernet(Supernet):
    """Shared weights of a `DrawnSpace`: one elastic layer for every name of a layer, as large as any architecture needs it.

    The active sub-net is what `space.network(active)` describes, with batch-norm not yet folded. Weights are drawn from `seed`.
    """

    space: DrawnSpace

    def __init__(self, space: DrawnSpace, *, seed: int = 0) -> None:
        super().__init__(space)
        shared = space.shared_layers()
        self.layers = nn.ModuleDict({module_name(name): ElasticLayer(layer) for name, layer in shared.items()})
        self._names = tuple(shared)
        initialise(self, torch.Generator().manual_seed(seed))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # half the time of the default order on a CPU
        self._programs: dict[Architecture, list[Step]] = {}
        self.program: list[Step] = []
        self.configure(self.active)

    def configure(self, architecture: Architecture) -> None:
        """Draws the architecture and gives its layers their shapes."""
        if architecture not in self._programs:
            if len(self._programs) >= DRAWINGS:
                self._programs.clear()
            self._programs[architecture] = steps(self.space.blueprint(architecture).layers)
        self.program = self._programs[architecture]
        for step in self.program:
            if step.key in self.layers:
                self._layer(step).select(step.layer)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of pixels 0..1, `(n, c, h, w)`."""
        return run(self.program, self.layers, images)

    def pieces(self) -> dict[str, list[str]]:
        """The layers by the first word of their parts (`stem`, `cell1`, ...), in the order of the largest network."""
        found: dict[str, list[str]] = {}
        for layer in self.space.blueprint(self.space.largest()).layers:
            found.setdefault(_piece(layer.name), [])
        for name in self._names:
            found.setdefault(_piece(name), []).append(f"layers.{module_name(name)}")
        return {name: paths for name, paths in found.items() if paths}

    def build(self) -> nn.Module:
        """The layers of the drawing with copies of their weights."""
        return DrawnNet(self.program, {step.key: self._layer(step).build() for step in self.program if step.key in self.layers})

    def _layer(self, step: Step) -> ElasticLayer:
        layer = self.layers[step.key]
        assert isinstance(layer, ElasticLayer)
        return layer
