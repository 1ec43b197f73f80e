"""`finetune`, `export`, `report`: from a front to something to deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.listing import Json
from hwnas.cli.own import Own, know
from hwnas.cli.show import bar, emit, need, say

RunFolder = Annotated[Path, typer.Argument(help="A folder that `hwnas search` wrote.")]
_PICK = "`best`, `cheapest` (within one point of it), `knee`, `fastest`, or a number along the front."


def export(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The ONNX file, or a folder; without it, `models` in the run folder, where the report finds it.")
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option(help=f"{_PICK} `knee` when not given."),
    ] = None,
    all_points: Annotated[bool, typer.Option("--all", help="Every point of the front, into a folder.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Also in 8-bit integers, with its accuracy and costs beside the original.")] = False,
    calibration: Annotated[
        Path | None, typer.Option(help="For --int8: a folder of pictures or an .npz file; images trained on when not given.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="For --int8: time for measuring, such as 60s; as long as it takes when not given.")
    ] = None,
    own: Own = None,
    json: Json = False,
) -> None:
    """Write an architecture of the front as a stand-alone ONNX file, with proof that it computes the same and a program that runs it."""
    need("torch", "onnxscript", extra="train")
    from functools import partial

    from device_profiles.durations import seconds
    from device_profiles.errors import InputError
    from hwnas.cli.exported import exported_text, still_going
    from hwnas.export import Int8, export_front
    from hwnas.run import Run

    if all_points and pick is not None:
        raise InputError("--all writes every point, --pick one: give one of them")
    if not int8 and (calibration is not None or budget is not None):
        raise InputError("--calibration and --budget are for 8-bit integers: add --int8")
    know(own)
    opened = Run.open(run)
    told = partial(typer.echo, err=True)
    wanted = Int8(calibration, seconds(budget), told) if int8 else None
    for line in still_going(opened):
        told(line)
    with bar("exporting") as update:
        written = export_front(opened, None if all_points else [pick or "knee"], out, int8=wanted, progress=update)
    if json:
        emit({"exported": [each.to_json() for each in written]} if all_points else written[0].to_json())
        return
    say("\n".join(exported_text(each) for each in written))


def finetune(
    run: RunFolder,
    pick: Annotated[list[str] | None, typer.Option(help=f"{_PICK} May be given several times; `knee` when not given.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="As many as the super-network was trained when not given.")] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Begin with new weights, not with those inherited.")] = False,
    distil: Annotated[bool, typer.Option("--distil", help="Learn from the largest sub-net too, not from the labels alone.")] = False,
    own: Own = None,
    json: Json = False,
) -> None:
    """Train architectures of the front on their own; `export` then writes the weights that are best on the validation images.

    An interrupted training goes on when started again.
    """
    need("torch", "safetensors", extra="train")
    from hwnas.finetune import finetune as train
    from hwnas.finish import pick as choose
    from hwnas.run import Run
    from hwnas.training import as_share

    know(own)
    opened = Run.open(run)
    archs = {choose(opened, which): which for which in pick or ["knee"]}
    found = []
    for arch, which in archs.items():
        with bar(f"training {which}") as update:
            options: dict[str, Any] = {"epochs": epochs, "from_scratch": from_scratch, "distil": distil}
            found.append(train(opened, arch, progress=as_share(update), **options))
        if not json:
            say(finetuned_text(which, found[-1]))
    if json:
        emit({"run": str(run), "trained": found})


def finetuned_text(which: str, found: dict[str, Any]) -> str:
    """What training made of a point, in a few lines for a terminal."""
    how = f"{found['settings']['from']} weights" if found["settings"]["from"] == "inherited" else "scratch"
    taught = ", taught by the largest sub-net" if found["settings"]["distilled"] else ""
    lines = [f"{which} {found['architecture']}: {found['epochs']} epochs from {how}{taught}"]
    for split in ("validation", "test"):
        before, after = (f"{q['value']:.1%} ({q['low']:.1%} to {q['high']:.1%})" for q in (found["inherited"][split], found[split]))
        lines.append(f"  {split:10} accuracy  inherited {before}   trained {after}")
    lines.append(f"  weights: {found['weights']}")
    if not found["deployed"]:
        lines.append("  other weights of this point are better on the validation images: export takes those")
    elif found["validation"]["value"] < found["inherited"]["validation"]["value"]:
        lines.append("  worse than inherited on the validation images, and export takes them: train for longer, or remove the file")
    return "\n".join(lines)


def report(
    run: RunFolder,
    other: Annotated[Path | None, typer.Argument(help="A second run: compares the two on one page.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="What to write: .html (report.html in the run folder when not given), .md, or .svg, .png, .pdf of the main figure."
        ),
    ] = None,
    references: Annotated[
        bool,
        typer.Option("--references", help="First evaluate networks scaled by hand (MobileNet-like spaces), to stand beside the front."),
    ] = False,
    cost: Annotated[
        str | None,
        typer.Option(
            help="The objective on the cost axis; that of one of several devices, or worst_latency_ms, makes it the report of its front."
        ),
    ] = None,
    device: Annotated[Path | None, typer.Option(help="For --references: the predictor, when it is not where it was at the search.")] = None,
    own: Own = None,
    json: Json = False,
) -> None:
    """Write the report of a run: one HTML page that opens offline; of two runs: one page that compares them."""
    need("plotly", "jinja2", extra="report")
    from device_profiles.errors import InputError
    from hwnas.report import write_comparison, write_report

    know(own)
    if other is not None and references:
        raise InputError("--references belongs to the report of one run: write that first, then compare")
    if other is not None and cost is not None:
        raise InputError("--cost belongs to the report of one run")
    if references:
        _evaluate_references(run, device)
    page = write_report(run, out, cost) if other is None else write_comparison(run, other, out)
    if json:
        emit({"report": str(page)})
        return
    say(str(page))


def _evaluate_references(run: Path, device: Path | None) -> None:
    need("torch", "safetensors", extra="train")
    need("sklearn", "xgboost", extra="predict")
    from hwnas.references import evaluate
    from hwnas.run import Run

    with bar("networks scaled by hand") as update:
        evaluate(Run.open(run), device, update)
