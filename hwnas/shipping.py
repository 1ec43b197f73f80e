"""What a device that is elsewhere is asked to measure: the same networks as `hwnas.profiling` takes here, as models without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from device_profiles import onnx_io
from device_profiles.boards.shipped import Shipped, check_names, read_model
from device_profiles.graphs.weights import without_weights
from hwnas.profiling import arch_name, covering_archs
from hwnas.spaces.base import SearchSpace


def space_models(space: SearchSpace, seed: int = 0) -> list[Shipped]:
    """The architectures of `profiling.plan_space`, which show every configuration of every part of the space."""
    archs = covering_archs(space, seed)
    return [Shipped(arch_name(space, arch), without_weights(onnx_io.network_model(space.network(arch)))) for arch in archs]


def file_models(files: Sequence[Path]) -> list[Shipped]:
    """The models in ONNX files. Raises InputError that names the file when one cannot be read, is inconsistent or not of fixed shape."""
    for file in files:
        onnx_io.read_network(file)
    models = [read_model(file) for file in files]
    check_names(models)
    return models
