"""`profile`, `fit`, `predict`: from a device to a price."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli import field
from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, need, say, seconds

#: Says the same as `device_profiles.energy.HELP`, which cannot be had without loading what measures.
_ENERGY = (
    "The meter of energy: auto (the best that the device has), none, rapl, hwmon, pmic, nvml, or log:FILE, a CSV file of seconds since "
    "1970 and watts that another program is writing on the measured device meanwhile."
)


def profile(
    out: Annotated[Path, typer.Option(help="The profile, JSON Lines; if it is there, the campaign goes on.")],
    space: Annotated[str | None, typer.Option(help="Measure what the networks of this search space execute.")] = None,
    onnx: Annotated[list[Path] | None, typer.Option(help="Measure what this ONNX file executes; give it once per file.")] = None,
    runtime: Annotated[str, typer.Option(help="The runtime to measure; with --host it must be installed there.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    budget: Annotated[str | None, typer.Option(help="Time for measuring, such as 90s or 10m; without it, as long as it takes.")] = None,
    resolution: Annotated[int, typer.Option(min=1, help="Side of the images of the space.")] = 32,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the images of the space.")] = 3,
    classes: Annotated[int, typer.Option(min=2, help="Classes of the space.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Decides which networks of the space are measured whole.")] = 0,
    energy: Annotated[str, typer.Option(help=_ENERGY)] = "auto",
    host: Annotated[
        list[str] | None, typer.Option(help="Measure this machine over ssh instead, such as pi@board; once per machine.")
    ] = None,
    ssh_config: Annotated[Path | None, typer.Option(help="For --host: a file in place of ~/.ssh/config.")] = None,
    json: Json = False,
) -> None:
    """Measure this device: every operator that the networks execute, and some of the networks whole.

    With neither --space nor --onnx: random networks of many families, so that any network can be priced; give that --budget 10m or more.
    """
    from device_profiles.energy import check_wanted, choose
    from device_profiles.errors import unknown
    from device_profiles.profile import DeviceProfile
    from device_profiles.runtimes import RUNTIMES, RuntimeProcess
    from hwnas import profiling, spaces

    field.refuse_both(space, onnx)
    if runtime not in RUNTIMES:
        raise unknown("runtime", runtime, RUNTIMES)
    if host:
        models, whole = field.shipped(space, onnx or [], resolution, channels, classes, seed)
        field.profile_hosts(
            host, out, models, whole, threads=threads, budget=budget, ssh_config=ssh_config, runtime=runtime, energy=energy, json=json
        )
        return
    budget_s = seconds(budget)
    check_wanted(energy)
    chosen = spaces.load(space, classes=classes, resolution=resolution, channels=channels) if space else None
    with RuntimeProcess(runtime, threads) as process:
        meter = choose(energy, str(process.fingerprint()["provider"]))
        with bar("planning") as update:
            if chosen is not None:
                plan = profiling.plan_space(chosen, process, seed, update)
            else:
                plan = profiling.plan_files(onnx, process) if onnx else profiling.plan_atlas(process, seed, progress=update)
        with bar("measuring") as update:
            told = partial(typer.echo, err=True)
            outcome = profiling.profile(plan, out, process, budget_s=budget_s, progress=update, notice=told, meter=meter)
    measured = DeviceProfile.read(out)
    if json:
        emit({"profile": str(out), "device": measured.device_name, **vars(outcome)})
        return
    say(repr(measured))
    say(f"{outcome.measured} measured now, {outcome.already} already there, {outcome.failed} failed, in {outcome.seconds:.0f} s")
    if outcome.unfinished:
        say(f"{outcome.unfinished} did not fit into the budget; the same command goes on")
    say(f"next: hwnas fit {out} --out device.json")


def fit(
    profile: Annotated[Path, typer.Argument(help="A profile that `hwnas profile` made.")],
    out: Annotated[Path, typer.Option(help="The predictor, JSON.")],
    json: Json = False,
) -> None:
    """Fit the predictors of a device, and print their errors on what they have not seen beside the repeat ceiling."""
    need("sklearn", "xgboost", extra="predict")
    from device_profiles.profile import DeviceProfile
    from predictors import NetworkPredictor
    from predictors.evaluation import error_table, format_table

    measured = DeviceProfile.read(profile)
    with bar("fitting") as update:
        update(0.0, "the predictor")
        device = NetworkPredictor().fit(measured)
        device.save(out)
        update(0.3, "its errors on what it has not seen")
        table = error_table(measured, device)
    if json:
        emit({"device": str(out), "name": device.device_name_, "errors": table})
        return
    say(format_table(table))
    say(f"saved {device.device_name_} to {out}")


def predict(
    model: Annotated[Path, typer.Argument(help="An ONNX file.")],
    device: Annotated[Path, typer.Option(help="A predictor that `hwnas fit` made.")],
    explain: Annotated[bool, typer.Option("--explain", help="Also show every operator with its share.")] = False,
    json: Json = False,
) -> None:
    """Price an ONNX file on a device, with an interval."""
    need("sklearn", "xgboost", extra="predict")
    import predictors
    from hwnas.cli.priced import prediction_text

    predictor = predictors.load(device)
    prediction = predictor.predict_onnx(model)
    if json:
        emit({"model": str(model), "device": predictor.device_name_, **prediction.to_json(explain)})
        return
    say(f"{model} on {predictor.device_name_}")
    say(prediction_text(prediction, explain))
