"""`devices`, `spaces`, `algorithms`: what is there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hwnas.cli.show import emit, say

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


def spaces(json: Json = False) -> None:
    """The search spaces."""
    from hwnas.spaces import SPACES, load

    rows: list[dict[str, Any]] = []
    for name, (text, _) in SPACES.items():
        space = load(name)
        rows.append({"name": name, "architectures": space.size, "choices": len(space.choices), "about": text})
    if json:
        emit({"spaces": rows})
        return
    for row in rows:
        say(f"{row['name']}: {row['about']} ({row['choices']} choices, {row['architectures']:,} architectures)")
    say("FILE.py:NAME or MODULE:NAME is a space of your own wherever a space is asked for")


def algorithms(json: Json = False) -> None:
    """The search algorithms and the training strategies."""
    from hwnas.search.algorithms import ALGORITHMS

    rows = [{"name": name, "about": kind.description, "paper": kind.paper} for name, kind in ALGORITHMS.items()]
    if json:
        emit({"algorithms": rows})
        return
    for row in rows:
        say(f"{row['name']}: {row['about']} [{row['paper']}]")
