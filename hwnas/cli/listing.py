"""`devices`, `spaces`, `algorithms`: what is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.show import emit, say

if TYPE_CHECKING:
    from hwnas.spaces import SearchSpace

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def devices(json: Json = False) -> None:
    """This device, the runtimes that can be measured on it, and the profiles that came with hwnas."""
    from device_profiles.fingerprint import device_fingerprint
    from device_profiles.library import library_rows
    from device_profiles.runtimes import RUNTIMES

    here, shipped = device_fingerprint(), library_rows()
    if json:
        emit({"here": here, "runtimes": RUNTIMES, "library": shipped})
        return
    say(f"this device: {here['cpu']}, {here['cores']} cores, {here['memory_mb']} MB, {' '.join(here['isa'])}")
    for name, text in RUNTIMES.items():
        say(f"runtime {name}: {text}")
    for row in shipped:
        say(f"{row['name']}: {row['hardware']}, {row['cores']} cores; {row['runtime']} {row['version']}, {row['threads']} threads")
        say(f"    {row['operators']} operators, {row['networks']} networks, measured {row['created']}")
    if shipped:
        say(f"a name of this list is a device wherever one is asked for, such as: hwnas predict NET.onnx --device {shipped[0]['name']}")
    else:
        say("no profiles came with hwnas; make one with: hwnas profile --space mobilenet-small --out P.jsonl")


def spaces(
    space: Annotated[str | None, typer.Option(help="Show what the networks of this one cost instead.")] = None,
    device: Annotated[Path | None, typer.Option(help="For --space: a predictor that `hwnas fit` made.")] = None,
    resolution: Annotated[int, typer.Option(min=1, help="For --space: side of the images.")] = 32,
    channels: Annotated[int, typer.Option(min=1, help="For --space: channels of the images.")] = 3,
    classes: Annotated[int, typer.Option(min=2, help="For --space: classes.")] = 10,
    json: Json = False,
) -> None:
    """The search spaces; or of one of them the least, the median and the most that its networks cost."""
    from hwnas.spaces import SPACES, load

    if space is not None:
        show_costs(load(space, classes=classes, resolution=resolution, channels=channels), device, json)
        return
    rows: list[dict[str, Any]] = []
    for name, (text, _) in SPACES.items():
        found = load(name)
        rows.append({"name": name, "architectures": found.size, "choices": len(found.choices), "about": text})
    if json:
        emit({"spaces": rows})
        return
    for row in rows:
        say(f"{row['name']}: {row['about']} ({row['choices']} choices, {row['architectures']:,} architectures)")
    say("FILE.py:NAME or MODULE:NAME is a space of your own wherever a space is asked for")


def show_costs(space: SearchSpace, device: Path | None, json: bool) -> None:
    """MACs, parameters and, on a device, latency over the networks of a space."""
    import numpy as np

    from hwnas.spaces.summary import summarise

    costs = []
    if device is not None:
        import predictors

        costs.append(predictors.load(device).latency_ms)
    found = summarise(space, np.random.default_rng(0), costs)
    if json:
        emit({"space": space.name, "architectures": space.size, "costs": {name: asdict(cost) for name, cost in found.items()}})
        return
    say(f"{space.name}: {space.size:,} architectures, images {'x'.join(map(str, space.input_shape))}")
    for name, cost in found.items():
        say(f"  {name:12} least {cost.minimum:<10.4g} median {cost.median:<10.4g} most {cost.maximum:<10.4g} {cost.unit}")


def algorithms(json: Json = False) -> None:
    """The search algorithms and the training strategies."""
    from hwnas.search.algorithms import ALGORITHMS

    rows = [{"name": name, "about": kind.description, "paper": kind.paper} for name, kind in ALGORITHMS.items()]
    if json:
        emit({"algorithms": rows})
        return
    for row in rows:
        say(f"{row['name']}: {row['about']} [{row['paper']}]")
    say("auto: exact where every objective is a sum over the parts of the space, surrogate otherwise; says why")
