"""Every named space as small as it can be and still have every kind of choice, for tests that build networks and super-networks."""

from __future__ import annotations

from collections.abc import Callable

from hwnas import spaces
from hwnas.spaces import MobileNetSpace, NASBench201Space, PNASSpace, SearchSpace, Stage
from hwnas.spaces.bypass import BypassSpace, BypassStage
from hwnas.spaces.flash import Cell, FlashDenseSpace, FlashResidualSpace
from hwnas.spaces.sharing import SharingSpace

_STAGES = (
    Stage(widths=(8, 16), depths=(1, 2), kernels=(3, 5), expansions=(1, 2), stride=1),
    Stage(widths=(16,), depths=(1,), kernels=(3,), expansions=(1, 2), stride=2),
)
_RICH = (
    Stage(widths=(8, 12), depths=(1, 2), kernels=(3, 5), expansions=(1, 2), stride=1, activation="HardSwish"),
    Stage(widths=(12,), depths=(1, 2), kernels=(3, 7), expansions=(2, 3), stride=2, squeeze=True, activation="HardSwish"),
)

TINY: dict[str, Callable[[], SearchSpace]] = {
    "mobilenet-small": lambda: MobileNetSpace(_STAGES, 3, 1, 8, stem=8, head=16),
    "mobilenetv2-elastic": lambda: MobileNetSpace(
        _RICH, 3, 1, 12, stem=8, head=16, mix=12, activation="HardSwish", resolutions=(8, 12), name="mobilenetv2-elastic"
    ),
    "ofa-mobilenetv3": lambda: MobileNetSpace(
        [Stage((8,), (1,), (3,), (1,), 1), *_RICH[1:]], 3, 1, 8, stem=8, head=16, mix=12, activation="HardSwish", name="ofa-mobilenetv3"
    ),
    "nasbench201": lambda: NASBench201Space(3, 1, 8, width=4, cells=1, operators=("none", "skip_connect", "nor_conv_3x3")),
    "pnas-cell": lambda: PNASSpace(3, 1, 8, blocks=2, repeats=1, width=4, operators=("identity", "conv_1x7_7x1", "dil_conv_3x3")),
    "flash-dense": lambda: FlashDenseSpace([Cell((4, 8), (4, 5), (0.0, 0.5, 1.5)), Cell((8, 12), (4, 5), (0.0, 0.5, 1.5))], 3, 1, 8),
    "flash-residual": lambda: FlashResidualSpace([Cell((4, 8), (1, 2), (0.0, 0.5, 1.0)), Cell((8, 12), (1, 2), (0.0, 0.5, 1.0))], 3, 1, 8),
    "bypass": lambda: BypassSpace([BypassStage((4, 8), (3, 5), 3, 1), BypassStage((8, 12), (3,), 2, 2)], 3, 1, 8),
    "sharing64": lambda: SharingSpace(3, 1, 8, width=4, cells=2, stem=6),
}


def tiny(name: str) -> SearchSpace:
    """The tiny space of this name, for images of few pixels and three classes; a name without one is taken at full size."""
    return TINY[name]() if name in TINY else spaces.load(name, classes=3, resolution=32, channels=1)
