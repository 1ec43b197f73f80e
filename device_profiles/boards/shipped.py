"""The models that a campaign is given by file or in a kit: without weights, ready to be planned on the device itself."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device_profiles.errors import InputError, RuntimeFailure
from device_profiles.graphs.graph import name_nodes, parse
from device_profiles.graphs.messages import ModelProto
from device_profiles.graphs.weights import fill_weights, forget_files
from device_profiles.graphs.wire import strip_weights
from device_profiles.plan import Plan, WholeNetwork, make_plan, spread
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess


@dataclass(frozen=True)
class Shipped:
    """A network by its name in the profile and its ONNX model, whose large constants have no data."""

    name: str
    model: bytes


def read_model(path: Path) -> Shipped:
    """An ONNX file as a campaign takes it. Raises InputError that names the file when it is none."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            stripped = strip_weights(view)
        model = forget_files(name_nodes(stripped))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # an empty file cannot be mapped; InputError is a ValueError too
        raise InputError(f"{path}: {error}") from error
    return Shipped(f"{path.stem}/{input_shapes(parse(model))}", model)


def input_shapes(model: ModelProto) -> str:
    """The shapes of the inputs as they are run, such as `1x3x224x224`: a dimension that is not fixed is 1."""
    constants = {proto.name for proto in model.graph.initializer}
    shapes = []
    for value in model.graph.input:
        if value.name not in constants:
            tensor = value.type.tensor_type if value.type else None
            dims = tensor.shape.dim if tensor is not None and tensor.shape is not None else []
            shapes.append("x".join(str(dim.dim_value if dim.dim_value > 0 else 1) for dim in dims))
    return ",".join(shapes)


def check_names(models: Sequence[Shipped]) -> None:
    """Raises InputError when two models bear one name: a profile tells them apart by it."""
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two models are called {twice}; give each file a name of its own")


def plan_models(
    models: Sequence[Shipped], runtime: RuntimeProcess, whole: int | None, progress: Callable[[float, str], None]
) -> tuple[Plan, list[str]]:
    """What the models execute here, and `whole` of them to be timed whole (all when None); with a note on each model that does not run.

    Raises InputError when none runs.
    """
    check_names(models)
    networks, notes = [], []
    for index, shipped in enumerate(models):
        try:
            executed = runtime.executed_graph(fill_weights(shipped.model), shipped.name)
            networks.append(WholeNetwork(shipped.name, shipped.model, executed))
        except (RuntimeFailure, RuntimeCrash, InputError) as error:
            notes.append(f"left out {shipped.name}: {error}")
        progress((index + 1) / len(models), f"asking the runtime what it executes, {index + 1} of {len(models)} networks")
    if not networks:
        raise InputError(f"the runtime runs none of the {len(models)} models: {notes[0] if notes else 'there are none'}")
    operators_of = [network.executed for network in networks if runtime.tells_kernels]
    return make_plan(operators_of, networks if whole is None else spread(networks, whole)), notes
