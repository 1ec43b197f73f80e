"""What a device that is elsewhere is asked to measure: the same networks as `hwnas.profiling` takes here, as models without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device_profiles import atlas, onnx_io
from device_profiles.boards.shipped import Shipped, check_names, read_model
from device_profiles.graphs.weights import without_weights
from hwnas.profiling import ATLAS_ROUNDS, arch_name, covering_archs
from hwnas.spaces.base import Archs, SearchSpace


def space_models(space: SearchSpace, seed: int = 0) -> list[Shipped]:
    """The architectures of `profiling.plan_space`, which show every configuration of every part of the space."""
    return arch_models(space, covering_archs(space, seed))


def arch_models(space: SearchSpace, archs: Archs | Sequence[Sequence[int]]) -> list[Shipped]:
    """Architectures `(n, n_choices)` by the names under which they are measured here too."""
    rows = space.canonical(np.asarray(archs, dtype=np.int64))
    return [Shipped(arch_name(space, arch), _described(onnx_io.network_model(space.network(arch)))) for arch in rows]


def atlas_models(seed: int = 0) -> list[Shipped]:
    """The random networks of `profiling.plan_atlas`."""
    drawn = atlas.rounds(ATLAS_ROUNDS, np.random.default_rng(seed))
    return [Shipped(f"atlas/{name}", without_weights(onnx_io.network_model(network))) for name, network in drawn]


def file_models(files: Sequence[Path]) -> list[Shipped]:
    """The models in ONNX files. Raises InputError that names the file when one cannot be read, is inconsistent or not of fixed shape."""
    for file in files:
        onnx_io.read_network(file)
    models = [read_model(file) for file in files]
    check_names(models)
    return [Shipped(model.name, onnx_io.with_shapes(model.model)) for model in models]


def _described(model: bytes) -> bytes:
    """The model without its weights and with all shapes: there is no onnx package where it goes to infer them."""
    return without_weights(onnx_io.with_shapes(model))
