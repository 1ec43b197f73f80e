"""The atlas: random networks of many families, written down as exporters write them, from which a device is profiled for any network.

A profile of one search space knows the operators of that space. For files that nobody has seen yet the operators must come from
everywhere: each family below is an architecture of the literature with every size drawn at random (widths, depths, kernels, groups,
activations, resolutions), and the runtime decides which kernels they become. Needs no torch, no weights, no downloads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from zlib import crc32

import numpy as np

from device_profiles.atlas import convolutional, mobile, resampling, tokens, uneven
from device_profiles.atlas.draw import Draw
from device_profiles.atlas.quantised import quantised
from device_profiles.atlas.sketch import Sketch
from device_profiles.operators import Network

#: The families by name; each adds the body of a network to a sketch that holds an image, and returns its last value.
FAMILIES: dict[str, Callable[[Sketch, str, Draw], str]] = {
    family.__name__: family
    for family in (
        convolutional.vgg, convolutional.classic, convolutional.resnet, convolutional.bottleneck, convolutional.densenet,
        convolutional.inception, convolutional.squeezenet, convolutional.cross_stage, convolutional.multi_resolution, mobile.separable,
        mobile.inverted, mobile.fused_inverted, mobile.shuffle, mobile.ghost, mobile.partial, mobile.large_kernel, tokens.transformer,
        tokens.windows, tokens.pyramid, tokens.mixer, tokens.channels_last, tokens.pooling, tokens.hybrid, tokens.linear_attention,
        resampling.decoder, resampling.cosine_attention, resampling.padded_windows, uneven.mixed_kernels, uneven.talking_heads,
        uneven.unfolded, uneven.recurrent, uneven.placed_positions,
    )
}  # fmt: skip

#: Families that also come in eight bits.
QUANTISED = ("resnet", "bottleneck", "separable", "inverted", "transformer")

#: Height and width of the images, and the MACs within which a network is taken.
RESOLUTIONS, MACS = (96, 128, 160, 192, 224, 224, 256), (20e6, 1.5e9)


def network(family: str, rng: np.random.Generator) -> Network:
    """A random network of a family, drawn until its MACs lie within `MACS`."""
    while True:
        side = int(rng.choice(RESOLUTIONS))
        sketch = Sketch(family, (3, side, side))
        body = FAMILIES[family](sketch, "input", Draw(rng))
        result = sketch.classify(body, int(rng.choice((10, 100, 1000))))
        if MACS[0] <= result.macs <= MACS[1]:
            return result


def rounds(count: int, rng: np.random.Generator) -> list[tuple[str, Network]]:
    """The first networks of `networks`, until every family has come `count` times."""
    return list(islice(networks(rng), count * (len(FAMILIES) + len(QUANTISED))))


def networks(rng: np.random.Generator) -> Iterator[tuple[str, Network]]:
    """Endlessly: one network of each family in turn, then those in eight bits, each with a name of its own.

    Every family draws for itself, so that one that changes or is added leaves the others as they were.
    """
    seed, number = int(rng.integers(2**63)), 0
    names = [*FAMILIES, *(f"int8_{family}" for family in QUANTISED)]
    draws = {name: np.random.default_rng((seed, crc32(name.encode()))) for name in names}
    while True:
        for name, own in draws.items():
            yield f"{name}/{number}", network(name, own) if name in FAMILIES else quantised(network(name.removeprefix("int8_"), own))
        number += 1
