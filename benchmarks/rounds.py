"""What the benchmarks of measuring share: rounds over items by the protocol, without a campaign's files, and the networks they look at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from device_profiles import onnx_io, protocol
from device_profiles.items import Item
from device_profiles.plan import WholeNetwork
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess
from hwnas import profiling, spaces

SETTINGS = Protocol()

#: The models that the onnx package brings along, from 2 to 90 ms on a desktop core.
LIGHT = ("squeezenet", "shufflenet", "inception_v1", "inception_v2", "densenet121", "resnet50", "bvlc_alexnet", "zfnet512", "vgg19")


def light_networks(runtime: RuntimeProcess, names: Sequence[str] = LIGHT) -> list[WholeNetwork]:
    """The convolutional networks inside the onnx package."""
    folder = Path(str(files("onnx"))) / "backend" / "test" / "data" / "light"
    models = {name: onnx_io.name_nodes((folder / f"light_{name}.onnx").read_bytes()) for name in names}
    return [WholeNetwork(f"onnx/{name}", model, runtime.executed_graph(model, name)) for name, model in models.items()]


def file_networks(runtime: RuntimeProcess, folder: Path) -> list[WholeNetwork]:
    """The ONNX files of a folder, in the order of their names."""
    models = {path.stem: onnx_io.name_nodes(path.read_bytes()) for path in sorted(folder.glob("*.onnx"))}
    return [WholeNetwork(name, model, runtime.executed_graph(model, name)) for name, model in models.items()]


def small_networks(runtime: RuntimeProcess, resolutions: Sequence[int], each: int) -> list[WholeNetwork]:
    """Random networks of the built-in space."""
    found = []
    for resolution in resolutions:
        space = spaces.load("mobilenet-small", classes=10, resolution=resolution, channels=3)
        found += [profiling.whole_network(space, arch, runtime) for arch in space.sample(each, np.random.default_rng(resolution))]
    return found


class Rounds:
    """Blocks of the same items on one or more sides (a runtime and its items), sides and items in random order; the items are filled."""

    def __init__(self, *sides: tuple[RuntimeProcess, Sequence[Item]], settings: Protocol = SETTINGS) -> None:
        self.sides, self.settings = sides, settings
        self.handles = [[runtime.load(item.model(), item.isolated) for item in items] for runtime, items in sides]
        self.rng = np.random.default_rng(0)

    def take(self, seconds: float, least: int) -> None:
        """Rounds until each item has had `seconds` on each side, and `least` rounds."""
        spent, number = np.zeros(len(self.handles[0])), 0
        while (open_ := np.flatnonzero((spent < seconds) | (number < least))).size:
            for index in self.rng.permutation(open_):
                start = time.monotonic()
                for side in self.rng.permutation(len(self.sides)):
                    self._block(side, index)
                spent[index] += (time.monotonic() - start) / len(self.sides)
            number += 1

    def _block(self, side: int, index: int) -> None:
        (runtime, items), s = self.sides[side], self.settings
        handle, block_ns = self.handles[side][index], int(s.block_ms * 1e6)
        times, quiet = runtime.block(
            handle, warmup=s.warmup_calls, block_ns=block_ns, min_calls=s.min_calls, max_calls=s.max_calls, quiet=s.quiet
        )
        items[index].rounds.append(protocol.block_summary(times, s.window_us, quiet))


def value_ms(item: Item) -> float:
    """The headline of an item, per copy; the empty call is not subtracted."""
    return protocol.estimate(item.rounds).value / item.copies
