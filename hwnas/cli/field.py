"""`kit`, and `profile --host`: measuring a device that is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_profiles.durations import seconds
from device_profiles.errors import HwnasError, InputError
from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, say

if TYPE_CHECKING:
    from device_profiles.boards.shipped import Shipped


def kit(
    out: Annotated[Path, typer.Option(help="The kit, one file that Python runs, such as kit.pyz.")],
    space: Annotated[str | None, typer.Option(help="Measure what the networks of this search space execute.")] = None,
    onnx: Annotated[list[Path] | None, typer.Option(help="Measure what this ONNX file executes; give it once per file.")] = None,
    resolution: Annotated[int, typer.Option(min=1, help="Side of the images of the space.")] = 32,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the images of the space.")] = 3,
    classes: Annotated[int, typer.Option(min=2, help="Classes of the space.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Decides which networks of the space are measured whole.")] = 0,
    json: Json = False,
) -> None:
    """Write one file that measures a device which has only Python, numpy and onnxruntime (or openvino or torch besides)."""
    from device_profiles.kit import build_kit, write_kit

    models, whole = shipped(space, onnx or [], resolution, channels, classes, seed)
    content = build_kit(models, whole)
    write_kit(out, content)
    if json:
        emit({"kit": str(out), "models": len(models), "bytes": len(content)})
        return
    say(f"{out}: {len(models)} models without weights, {len(content) / 1e6:.2f} MB")
    say(f"next: copy it to the device, and there: python3 {out.name} --out P.jsonl --budget 10m")


def refuse_both(space: str | None, files: Sequence[Path] | None) -> None:
    """Raises InputError when a space and files are given."""
    if space is not None and files:
        raise InputError(
            "give either --space NAME or --onnx FILE (several times where wanted); neither measures what any network may execute"
        )


def shipped(
    space: str | None, files: Sequence[Path], resolution: int, channels: int, classes: int, seed: int
) -> tuple[list[Shipped], int | None]:
    """The models to measure elsewhere, and how many of them whole (None for all). Raises InputError when there are a space and files."""
    from hwnas import profiling, shipping, spaces

    refuse_both(space, files)
    if files:
        return shipping.file_models(files), None
    if space is None:
        return shipping.atlas_models(seed), profiling.WHOLE_NETWORKS
    chosen = spaces.load(space, classes=classes, resolution=resolution, channels=channels)
    return shipping.space_models(chosen, seed), profiling.WHOLE_NETWORKS


def profile_hosts(
    hosts: Sequence[str],
    out: Path,
    models: Sequence[Shipped],
    whole: int | None,
    *,
    threads: int,
    budget: str | None,
    ssh_config: Path | None,
    runtime: str,
    energy: str,
    json: bool,
) -> None:
    """Measures on other machines over ssh, shows how it goes and what came out. Raises the first error when a host failed."""
    from device_profiles import remote

    seconds(budget)
    if ssh_config is not None and not ssh_config.is_file():
        raise InputError(f"{ssh_config}: there is no such ssh configuration")
    job = remote.Job(models, whole, threads, budget, ssh_config, runtime=runtime, energy=energy)
    shares = dict.fromkeys(hosts, 0.0)
    with bar("measuring elsewhere") as update:

        def show(host: str, share: float, message: str) -> None:
            """Moves the bar by the mean of the hosts."""
            shares[host] = share
            update(sum(shares.values()) / len(shares), f"{host}: {message}")

        results = remote.profile_hosts(hosts, out, job, show)
    if json:
        emit({"hosts": [_record(result) for result in results]})
    for result in results if not json else []:
        if result.error is None:
            say(
                f"host        {result.host}\n{result.text}\nprofile     {result.out}\nkit         {result.kit} (stays there, to go on with)"
            )
            say(f"next        hwnas fit {result.out} --out device.json")
    errors = [result.error for result in results if result.error is not None]
    if errors:
        raise _all(errors)


def _record(result: Any) -> dict[str, Any]:
    error = None if result.error is None else str(result.error)
    return {"host": result.host, "profile": str(result.out), "error": error, "kit": result.kit}


def _all(errors: Sequence[HwnasError]) -> HwnasError:
    return errors[0] if len(errors) == 1 else type(errors[0])("; ".join(map(str, errors)))
