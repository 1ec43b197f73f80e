"""The pieces of an elastic MobileNet: what a stage may choose, and the shapes of one active block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device_profiles.errors import InputError, unknown

#: The activations of a stage, by their ONNX names.
ACTIVATIONS = ("Relu", "HardSwish")


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks at one resolution: the legal output widths, numbers of blocks, kernel sizes and expansion ratios, and the first stride.

    `squeeze` puts squeeze-excite behind the depthwise convolutions; `activation` is an ONNX name, `Relu` or `HardSwish`.
    Raises InputError, which says what is legal, for anything else.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    stride: int
    squeeze: bool = False
    activation: str = "Relu"

    def __post_init__(self) -> None:
        for name in ("widths", "depths", "kernels", "expansions"):
            values = getattr(self, name)
            if not values or min(values) < 1 or sorted(set(values)) != list(values):
                raise InputError(f"the {name} of a stage must be numbers from 1 on that rise, got {tuple(values)}")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise InputError(f"the kernels of a stage must be odd, got {tuple(self.kernels)}")
        if self.stride < 1:
            raise InputError(f"the stride of a stage must be at least 1, got {self.stride}")
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, ACTIVATIONS)

    @property
    def max_depth(self) -> int:
        """The number of blocks that the super-network holds."""
        return max(self.depths)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Stage:
        """The inverse of `dataclasses.asdict`; `squeeze` and `activation` may be missing."""
        widths, depths, kernels, expansions = (tuple(map(int, data[name])) for name in ("widths", "depths", "kernels", "expansions"))
        return cls(
            widths, depths, kernels, expansions, int(data["stride"]), bool(data.get("squeeze", False)), str(data.get("activation", "Relu"))
        )


@dataclass(frozen=True, slots=True)
class Block:
    """One active block of one architecture: everything that its shapes depend on."""

    name: str
    c_in: int
    c_out: int
    kernel: int
    expansion: int
    stride: int
    squeeze: bool = False
    activation: str = "Relu"

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

    @property
    def squeezed(self) -> int:
        """Channels between the two convolutions of squeeze-excite."""
        return round_channels(self.hidden / 4)


def round_channels(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and not less than nine tenths (the rule of MobileNetV2's published code)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
