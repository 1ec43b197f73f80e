"""`import`: numbers that others published, as a profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.listing import Json
from hwnas.cli.show import emit, say


def import_(
    file: Annotated[
        Path, typer.Argument(help="HW-NAS-Bench's pickle, a table of blocks (Once-for-All, FBNet), onnxruntime's own profile.")
    ],
    out: Annotated[Path, typer.Option(help="The profile, JSON Lines; a new file.")],
    format: Annotated[str | None, typer.Option(help="hwnasbench, ofa, fbnet or onnxruntime; without it, what the file looks like.")] = None,
    device: Annotated[str | None, typer.Option(help="What it was measured on; without it, the name of the file.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a profile of onnxruntime was taken with.")] = 1,
    json: Json = False,
) -> None:
    """Read numbers that others published into a profile of their own; they are looked up, and no predictor is fitted on them."""
    from device_profiles.importers.published import published_costs, read_published

    profile = read_published(file, format, device, threads)
    profile.write(out)
    costs, operators = published_costs(profile), len(profile.operators())
    names = sorted({name for entry in costs.values() for name in entry})
    if json:
        emit({"profile": str(out), "origin": "published", "entries": len(costs), "costs": names, "operators": operators})
        return
    say(f"{out}: {operators} operators timed in their networks" if operators else f"{out}: {len(costs)} entries with {', '.join(names)}")
    say("they are published, not measured here: hwnas fit refuses them; look them up with device_profiles.importers.published")
