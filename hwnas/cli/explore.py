"""`train`, `search`: from a space to a front."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_profiles.errors import InputError
from hwnas.cli.listing import Json
from hwnas.cli.own import Own, know
from hwnas.cli.several import chosen, named, objectives_of
from hwnas.cli.show import bar, emit, need, say, seconds
from hwnas.cli.table_search import search_table

if TYPE_CHECKING:
    from hwnas.front import Front
    from hwnas.run import Run
    from hwnas.search import Progress


def train(
    space: Annotated[str, typer.Option(help="A search space; see `hwnas spaces`.")],
    data: Annotated[
        str, typer.Option(help="`digits`, an .npz file with arrays `images` and `labels`, a folder of images, or `datasets:NAME`.")
    ],
    out: Annotated[Path, typer.Option(help="The folder for checkpoints and the log.")] = Path("runs/supernet"),
    strategy: Annotated[str, typer.Option(help="How the shared weights are trained.")] = "sandwich",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")] = None,
    resolution: Annotated[int | None, typer.Option(min=1, help="Side to which the images are resized; as they are when not given.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, of the training or the strategy, such as groups=8; may be given several times.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda where there is one.")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the checkpoint in --out.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write events for TensorBoard beside the log.")] = False,
    json: Json = False,
) -> None:
    """Train the weight-sharing super-network of a space on images."""
    need("torch", "safetensors", extra="train")
    import hwnas
    from hwnas import data as images
    from hwnas import spaces
    from hwnas.supernet.processes import here, joined
    from hwnas.supernet.strategies import make
    from hwnas.training import as_share, options_of

    own, recipe = options_of(strategy, option or [])
    if epochs is not None:
        recipe["epochs"] = epochs
    chosen_strategy = make(strategy, own)
    dataset = images.load(data, resolution=resolution)
    chosen = spaces.load(space, classes=dataset.classes, resolution=dataset.resolution, channels=dataset.channels)
    with joined(), bar(f"training {chosen.name} on {dataset.name}") as update:
        supernet = hwnas.train(
            chosen, dataset, strategy=chosen_strategy, out=out, resume=resume, progress=as_share(update), device=device,
            tensorboard=tensorboard, **{"seed": seed, **recipe},
        )  # fmt: skip
        if here()[0] > 0:
            return  # the first process reports
    scorer = hwnas.accuracy(supernet, dataset)
    found = {}
    ends = {"smallest": chosen.smallest(), "largest": chosen.largest()}
    for name, arch in ends.items() if strategy != "stand_alone" else [("stand-alone", supernet.active)]:
        found[name] = float(scorer(arch)[0][0])
    if json:
        emit({"checkpoint": str(out), "validation_accuracy": found})
        return
    say(f"validation accuracy with calibrated weights: {', '.join(f'{name} {value:.1%}' for name, value in found.items())}")
    say(f"saved to {out}")


def search(
    out: Annotated[Path, typer.Option(help="The run folder.")],
    supernet: Annotated[Path | None, typer.Option(help="A folder that `hwnas train` wrote.")] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="A predictor that `hwnas fit` wrote; with --table one of its devices. NAME=DEVICE several times: one front for each."
        ),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Recorded architectures (.npz or .csv) instead of a super-network.")] = None,
    dataset: Annotated[str | None, typer.Option(help="With --table, the data set whose accuracy is meant.")] = None,
    objectives: Annotated[
        str, typer.Option(help="Comma-separated; see the error of a wrong name for what there is.")
    ] = "accuracy,latency_ms",
    constraint: Annotated[list[str] | None, typer.Option(help='Such as "latency_ms<=20"; may be given several times.')] = None,
    algorithm: Annotated[str, typer.Option(help="See `hwnas algorithms`; `auto` chooses and says why.")] = "nsga2",
    evaluations: Annotated[
        int | None, typer.Option(min=1, help="Different architectures to evaluate; 200 when --budget is not given either.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time for the search, all its sessions together, such as 10m; with both, what is spent first counts.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="The images, when they are not where they were at training.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Drawn and recorded when not given.")] = None,
    own: Own = None,
    workers: Annotated[int, typer.Option(min=1, help="Evaluations at a time, each in a process of its own; the run is the same.")] = 1,
    timeout: Annotated[
        str | None, typer.Option(help="Time that one evaluation may take before it counts as failed, such as 10m; no limit when not given.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Evaluate on the Ray cluster at this address; `local` starts one here, `auto` finds one.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    json: Json = False,
) -> None:
    """Search a trained super-network, or a recorded table, for the front of accuracy against cost on a device."""
    where = {"budget_s": seconds(budget), "workers": workers, "timeout_s": seconds(timeout), "ray": ray}
    with bar("searching") as update:

        def progress(state: Progress) -> None:
            """Moves the bar."""
            update(state.share, _state(state))

        if table is not None:
            if supernet is not None:
                raise InputError("a search has --supernet or --table, not both")
            run = search_table(
                table, out, objectives, named(device or []), dataset, constraint or [], algorithm, evaluations, seed, resume, progress,
                where,
            )  # fmt: skip
        elif supernet is None or not device:
            raise InputError("a search needs --supernet and --device, or --table")
        else:
            know(own)
            run = _search_supernet(
                supernet, named(device), out, objectives, constraint or [], algorithm, evaluations, data, seed, resume, progress, where
            )  # fmt: skip
    _show(run, json, ends=table is None)


def _search_supernet(
    supernet: Path, devices: Mapping[str, str], out: Path, objectives: str, constraints: list[str], algorithm: str,
    evaluations: int | None, data: str | None, seed: int | None, resume: bool, progress: Callable[[Progress], None],
    where: dict[str, Any],
) -> Run:  # fmt: skip
    need("torch", "safetensors", extra="train")
    need("sklearn", "xgboost", extra="predict")
    need("pymoo", "moocore", extra="search")
    import hwnas
    from hwnas.accuracy import load_accuracy
    from hwnas.finish import score_front

    names = [name.strip() for name in objectives.split(",") if name.strip()]
    costs = _costs(devices, names)
    scorer = load_accuracy(supernet, data)
    known: dict[str, list[Any]] = {"accuracy": [scorer], **costs}
    wanted = chosen(names, known)
    if not wanted:
        raise InputError(f"--objectives names nothing; there is {', '.join(known)}")
    spec = {"command": sys.argv}
    space = scorer.supernet.space
    run = hwnas.search(
        space, wanted, constraints, algorithm, evaluations, seed,
        out=out, resume=resume, extra_spec=spec, progress=progress, **where,
    )  # fmt: skip
    score_front(run, scorer)
    return run


def _costs(devices: Mapping[str, str], names: Sequence[str]) -> dict[str, list[Any]]:
    """What every device costs, by the names that objectives may have."""
    import predictors

    found = {name: predictors.load(what) for name, what in devices.items()}
    if len(found) == 1:
        (only,) = found.values()
        return {"latency_ms": [only.latency_ms], **({} if only.energy_ is None else {"energy_mj": [only.energy_mj]})}
    latency = {name: device.latency_ms for name, device in found.items()}
    energy = {name: device.energy_mj for name, device in found.items() if device.energy_ is not None or "energy_mj" in names}
    return objectives_of({"latency_ms": latency, "energy_mj": energy}, found)


def _show(run: Run, json: bool, ends: bool) -> None:
    """The front, and what to do with it; `ends`: there are networks behind it."""
    front, fronts = run.front(), run.fronts()
    if json:
        each = {device: own.to_json() for device, own in fronts.items()}
        found = {"run": str(run.path), "seed": run.spec["seed"], "counts": run.counts(), "front": front.to_json()}
        emit({**found, **({"fronts": each} if each else {})})
        return
    counts = run.counts()
    failed = f", {counts['failed']} of them failed" if counts["failed"] else ""
    say(f"{len(front)} points on the front after {sum(counts.values())} evaluations{failed} (seed {run.spec['seed']})")
    for point in front:
        say("  " + "  ".join(f"{name} {quantity.value:.4g}" for name, quantity in point.objectives.items()))
    for device, own in fronts.items():
        say(_range(device, own))
    if "chosen_because" in run.spec:
        say(f"algorithm {run.spec['algorithm']}, for {run.spec['chosen_because']}")
    if ends:
        one = next((own.names[-1] for own in fronts.values()), None)
        check = f"hwnas verify {run.path}   hwnas report {run.path}" if one is None else f"hwnas report {run.path} --cost {one}"
        say(f"next: {check}   hwnas export {run.path} --pick knee --out knee.onnx")


def _range(device: str, front: Front) -> str:
    """The front of one of several devices in a line."""
    from hwnas.devices import WORST

    spans = zip(front.names, front.values.min(axis=0), front.values.max(axis=0), strict=True)
    numbers = "  ".join(f"{name} {low:.4g} to {high:.4g}" for name, low, high in spans)
    return f"front on {'the worst device' if device == WORST else device}: {len(front)} points  {numbers}"


def _state(progress: Progress) -> str:
    numbers = ", ".join(f"best {name} {value:.4g}" for name, value in progress.best.items())
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.done} evaluated{failed}, front {progress.front_size}, hypervolume {progress.hypervolume:.4g}, {numbers}"
