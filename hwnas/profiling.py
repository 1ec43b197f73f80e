"""Measures what the networks of a search space, or given ONNX files, execute on this device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from device_profiles import atlas, onnx_io
from device_profiles.campaign import Campaign, Outcome, Progress
from device_profiles.energy.meter import Meter
from device_profiles.errors import DeviceError, InputError, RuntimeFailure
from device_profiles.graphs.weights import without_weights
from device_profiles.operators import Network
from device_profiles.plan import Plan, WholeNetwork, make_plan, spread
from device_profiles.protocol import Protocol
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess
from hwnas.spaces.base import Archs, SearchSpace

#: Whole networks timed for the residual head: more would take time from the operators and tell little.
WHOLE_NETWORKS = 28

#: Random networks of each family of the atlas whose operators are measured.
ATLAS_ROUNDS = 4


def arch_name(space: SearchSpace, arch: Sequence[int] | Archs) -> str:
    """The name under which a network of a space is measured; two architectures that are the same network have the same name."""
    return f"{space.name}/{'.'.join(map(str, space.canonical(arch)[0].tolist()))}/{'x'.join(map(str, space.input_shape))}"


def whole_network(space: SearchSpace, arch: Sequence[int] | Archs, runtime: RuntimeProcess) -> WholeNetwork:
    """One architecture ready to be timed whole."""
    model = onnx_io.network_model(space.network(space.canonical(arch)[0]))
    name = arch_name(space, arch)
    return WholeNetwork(name, model, runtime.executed_graph(model, name))


def plan_space(space: SearchSpace, runtime: RuntimeProcess, seed: int = 0, progress: Progress | None = None) -> Plan:
    """Every operator that the networks of a space execute, and some of the networks whole.

    The runtime is asked for the executed graphs of architectures that together show every configuration of every part of the space.
    """
    archs = covering_archs(space, seed)
    networks: list[WholeNetwork] = []
    for index, arch in enumerate(archs):
        networks.append(whole_network(space, arch, runtime))
        if progress is not None:
            progress((index + 1) / len(archs), f"asking the runtime what it executes, {index + 1} of {len(archs)} networks")
    return make_plan([n.executed for n in networks if runtime.tells_kernels], spread(networks, WHOLE_NETWORKS))


def covering_archs(space: SearchSpace, seed: int = 0) -> Archs:
    """The smallest, the largest, and what else shows every configuration of every part; each once; shape `(n, n_choices)`."""
    from predictors.covering import covering

    archs = np.vstack([space.smallest(), space.largest(), covering(space, np.random.default_rng(seed))])
    first = sorted(np.unique(archs, axis=0, return_index=True)[1])
    return np.asarray(archs[first])


def plan_atlas(runtime: RuntimeProcess, seed: int = 0, rounds: int = ATLAS_ROUNDS, progress: Progress | None = None) -> Plan:
    """What any network may execute: the operators of `rounds` random networks of every family of the atlas, and some of the networks whole.

    A network that the runtime does not run is left out.
    """
    networks: list[WholeNetwork] = []
    drawn_networks = atlas.rounds(rounds, np.random.default_rng(seed))
    for index, (name, drawn) in enumerate(drawn_networks):
        model = onnx_io.network_model(drawn)
        with suppress(RuntimeFailure, RuntimeCrash):
            networks.append(WholeNetwork(f"atlas/{name}", without_weights(model), runtime.executed_graph(model, name)))
        if progress is not None:
            told = f"asking the runtime what it executes, {index + 1} of {len(drawn_networks)} networks"
            progress((index + 1) / len(drawn_networks), told)
    if not networks:
        raise DeviceError(f"{runtime.runtime} runs none of the networks of the atlas")
    return make_plan([network.executed for network in networks], spread(networks, WHOLE_NETWORKS))


def plan_files(files: Sequence[Path], runtime: RuntimeProcess) -> Plan:
    """Every operator that the given ONNX files execute, and the files whole. Raises InputError that names the file it cannot use."""
    networks = []
    for file in files:
        source = onnx_io.read_network(file)
        try:
            model = onnx_io.name_nodes(Path(file).read_bytes())
            networks.append(WholeNetwork(f"{source.name}/{_shapes(source)}", model, runtime.executed_graph(model, source.name)))
        except (RuntimeFailure, RuntimeCrash) as error:
            raise InputError(f"{file}: the runtime cannot run it: {error}") from error
    return make_plan([n.executed for n in networks if runtime.tells_kernels], networks)


def _shapes(network: Network) -> str:
    return ",".join("x".join(map(str, tensor.shape)) for tensor in network.inputs.values())


def profile(
    plan: Plan,
    out: Path,
    runtime: RuntimeProcess,
    *,
    budget_s: float | None = None,
    settings: Protocol | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], object] | None = None,
    meter: Meter | Literal["auto"] | None = "auto",
) -> Outcome:
    """Measures a plan into the profile `out`, or goes on with it: times, peak memory of whole networks, energy where there is a meter.

    `notice` is told what speaks against measuring now, a sentence at a time; `meter` is as `device_profiles.energy.choose`
    gives it. See `device_profiles.campaign.Campaign`.
    """
    campaign = Campaign(
        plan, out, runtime, settings=settings, budget_s=budget_s, progress=progress, meter=meter, memory=True, notice=notice
    )
    return campaign.run()
