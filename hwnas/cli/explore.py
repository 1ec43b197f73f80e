"""`train`, `search`: from a space to a front."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from device_profiles.errors import InputError, unknown
from hwnas.cli.listing import Json
from hwnas.cli.own import Own, know
from hwnas.cli.show import bar, emit, need, say


def train(
    space: Annotated[str, typer.Option(help="A search space; see `hwnas spaces`.")],
    data: Annotated[str, typer.Option(help="`digits`, an .npz file with arrays `images` and `labels`, or a folder of images.")],
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
            **{"seed": seed, **recipe},
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
    supernet: Annotated[Path, typer.Option(help="A folder that `hwnas train` wrote.")],
    device: Annotated[Path, typer.Option(help="A predictor that `hwnas fit` wrote.")],
    out: Annotated[Path, typer.Option(help="The run folder.")],
    objectives: Annotated[
        str, typer.Option(help="Comma-separated; see the error of a wrong name for what there is.")
    ] = "accuracy,latency_ms",
    constraint: Annotated[list[str] | None, typer.Option(help='Such as "latency_ms<=20"; may be given several times.')] = None,
    algorithm: Annotated[str, typer.Option(help="See `hwnas algorithms`.")] = "nsga2",
    evaluations: Annotated[int, typer.Option(min=1, help="Different architectures to evaluate.")] = 200,
    data: Annotated[str | None, typer.Option(help="The images, when they are not where they were at training.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Drawn and recorded when not given.")] = None,
    own: Own = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    json: Json = False,
) -> None:
    """Search a trained super-network for the front of accuracy against cost on a device."""
    need("torch", "safetensors", extra="train")
    need("sklearn", "xgboost", extra="predict")
    need("pymoo", "moocore", extra="search")
    import hwnas
    import predictors
    from hwnas.accuracy import load_accuracy
    from hwnas.finish import score_front

    know(own)
    predictor = predictors.load(device)
    scorer = load_accuracy(supernet, data)
    known = {"accuracy": scorer, "latency_ms": predictor.latency_ms}
    names = [name.strip() for name in objectives.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise unknown("objective", name, known)
    if not names:
        raise InputError(f"--objectives names nothing; there is {', '.join(known)}")
    spec = {"command": sys.argv}
    space = scorer.supernet.space
    with bar(f"searching {space.name}") as update:
        run = hwnas.search(
            space, [known[name] for name in names], constraint or [], algorithm, evaluations, seed,
            out=out, resume=resume, extra_spec=spec, progress=lambda p: update(p.done / p.total, _state(p)),
        )  # fmt: skip
    score_front(run, scorer)
    front = run.front()
    if json:
        emit({"run": str(out), "seed": run.spec["seed"], "counts": run.counts(), "front": front.to_json()})
        return
    say(f"{len(front)} points on the front after {sum(run.counts().values())} evaluations (seed {run.spec['seed']})")
    for point in front:
        say("  " + "  ".join(f"{name} {quantity.value:.4g}" for name, quantity in point.objectives.items()))
    say(f"next: hwnas verify {out}   hwnas report {out}   hwnas export {out} --pick knee --out knee.onnx")


def _state(progress: object) -> str:
    best = getattr(progress, "best", {})
    numbers = ", ".join(f"best {name} {value:.4g}" for name, value in best.items())
    return f"{getattr(progress, 'done', 0)} evaluated, front {getattr(progress, 'front_size', 0)}, {numbers}"
