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
    out: Annotated[Path, typer.Option(help="The ONNX file.")],
    pick: Annotated[
        str, typer.Option(help="`best`, `cheapest` (within one point of it), `knee`, `fastest`, or a number along the front.")
    ] = "knee",
    own: Own = None,
    json: Json = False,
) -> None:
    """Write one architecture of the front as a stand-alone ONNX file, with proof that it computes the same."""
    need("torch", "onnxscript", extra="train")
    from hwnas.finish import export_pick
    from hwnas.run import Run

    know(own)
    written = export_pick(Run.open(run), pick, out)
    if json:
        emit(written.to_json())
        return
    say(f"{written.path}: largest output difference {written.max_difference:.1e} over {written.images} images")


def report(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option(help="The page; report.html in the run folder when not given.")] = None,
    own: Own = None,
    json: Json = False,
) -> None:
    """Write the report of a run: one HTML page that opens offline."""
    need("plotly", "jinja2", extra="report")
    from hwnas.report import write_report

    know(own)
    page = write_report(run, out)
    if json:
        emit({"report": str(page)})
        return
    say(str(page))
