"""`verify`, `export`, `report`: from a front to something to deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.listing import Json
from hwnas.cli.own import Own, know
from hwnas.cli.show import bar, emit, need, say, seconds

RunFolder = Annotated[Path, typer.Argument(help="A folder that `hwnas search` wrote.")]


def verify(
    run: RunFolder,
    device: Annotated[Path | None, typer.Option(help="The predictor, when it is not where it was at the search.")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for measuring, such as 60s.")] = None,
    own: Own = None,
    json: Json = False,
) -> None:
    """Re-measure the front on this device and say whether the predictions held (exit status 1 when they did not)."""
    need("sklearn", "xgboost", extra="predict")
    from hwnas.finish import device_of
    from hwnas.run import Run
    from hwnas.verify import verify as measure_again

    know(own)
    opened = Run.open(run)
    with bar("measuring the front again") as update:
        verdict = measure_again(opened, device_of(opened, device), budget_s=seconds(budget), progress=update)
    if json:
        emit(verdict)
    else:
        say(verdict_text(verdict))
    if verdict["verdict"] != "pass":
        raise typer.Exit(1)


def verdict_text(verdict: dict[str, object]) -> str:
    """The verdict in a few lines for a terminal."""
    ceiling = verdict["repeat_ceiling"]
    assert isinstance(ceiling, dict)
    lines = [f"verdict: {verdict['verdict']}"]
    titles = {"within_10": "within 10 %", "within_5": "within 5 %", "mape": "mean error", "spearman": "rank correlation"}
    for name, title in titles.items():
        lines.append(f"  {title:17} {_number(name, verdict[name]):>8}   measuring twice: {_number(name, ceiling[name]):>8}")
    lines.append(f"  {'front regret':17} {_number('mape', verdict['front_regret']):>8}")
    if isinstance(drift := verdict.get("drift"), dict):
        lines.append(f"  {'device now':17} {drift['value'] - 1:>+8.1%}   against its profile, by the canaries; corrected beyond 3 %")
        timed = verdict["as_timed"]
        assert isinstance(timed, dict)
        lines.append(f"  {'as timed':17} {_number('within_10', timed['within_10']):>8}   within 10 % without that correction")
    reasons = verdict["reasons"]
    assert isinstance(reasons, list)
    return "\n".join(lines + [f"  {reason}" for reason in reasons])


def _number(name: str, value: object) -> str:
    if not isinstance(value, float | int):
        return "-"
    return f"{value:.3f}" if name in ("spearman", "kendall") else f"{value:.1%}"


def export(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The ONNX file, or a folder; without it, `models` in the run folder, where the report finds it.")
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option(help="`best`, `cheapest` (within one point of it), `knee` (the default), `fastest`, or a number along the front."),
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
    if references:
        _evaluate_references(run, device)
    page = write_report(run, out) if other is None else write_comparison(run, other, out)
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
