"""`verify`: did the predictions hold?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from device_profiles.errors import InputError
from hwnas.cli.listing import Json
from hwnas.cli.own import Own, know
from hwnas.cli.show import bar, emit, need, say, seconds


def verify(
    run: Annotated[Path, typer.Argument(help="A folder that `hwnas search` wrote.")],
    device: Annotated[
        Path | None, typer.Option(help="The predictor, when it is not where it was; of a run for several devices the name of one.")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Time for measuring, such as 60s.")] = None,
    host: Annotated[str | None, typer.Option(help="Measure on this machine over ssh, such as pi@board.")] = None,
    ssh_config: Annotated[Path | None, typer.Option(help="For --host: a file in place of ~/.ssh/config.")] = None,
    profile: Annotated[Path | None, typer.Option(help="What the predictor was fitted on, when it is not beside its file.")] = None,
    iterations: Annotated[int, typer.Option(min=1, help="Rounds of measuring and correcting at most; 1 only measures.")] = 4,
    own: Own = None,
    json: Json = False,
) -> None:
    """Re-measure the front on its device, correct the predictor where it was wrong, and say whether the front holds (exit status 1: no).

    Points that a correction brings onto the front are measured too. No point is judged by a predictor that saw its measurement.
    """
    need("sklearn", "xgboost", extra="predict")
    from hwnas.devices import by_device
    from hwnas.finish import device_of
    from hwnas.run import Run
    from hwnas.verify import verify as measure_again

    know(own)
    if ssh_config is not None and not ssh_config.is_file():
        raise InputError(f"{ssh_config}: there is no such ssh configuration")
    opened, told = Run.open(run), partial(typer.echo, err=True)
    if device is not None and str(device) in by_device(opened.objectives):
        opened, device = opened.of_device(str(device)), None
    with bar("measuring the front again") as update:
        verdict = measure_again(
            opened, device_of(opened, device), budget_s=seconds(budget), progress=update, host=host, ssh_config=ssh_config,
            profile=profile, iterations=iterations, notice=told,
        )  # fmt: skip
    if verdict["corrected"] is not None:
        _score(opened)
    if json:
        emit(verdict)
    else:
        say(verdict_text(verdict))
    if verdict["verdict"] != "pass":
        raise typer.Exit(1)


def _score(run: Any) -> None:
    """Test accuracies of points that are new on the front, where the weights are at hand."""
    from hwnas.finish import accuracy_of, score_front

    try:
        need("torch", "safetensors", extra="train")
        score_front(run, accuracy_of(run))
    except InputError as error:
        typer.echo(f"points that are new on the front have no test accuracy: {error}", err=True)


def verdict_text(verdict: dict[str, Any]) -> str:
    """The verdict in a few lines for a terminal."""
    ceiling = verdict["repeat_ceiling"]
    lines = [f"verdict: {verdict['verdict']}"]
    titles = {"within_10": "within 10 %", "within_5": "within 5 %", "mape": "mean error", "spearman": "rank correlation"}
    for name, title in titles.items():
        lines.append(f"  {title:17} {_number(name, verdict[name]):>8}   measuring twice: {_number(name, ceiling[name]):>8}")
    lines.append(f"  {'front regret':17} {_number('mape', verdict['front_regret']):>8}")
    if verdict.get("drift") is not None:
        change = verdict["drift"]["value"] - 1
        lines.append(f"  {'device now':17} {change:>+8.1%}   against its profile, by the canaries; corrected beyond 3 %")
        lines.append(f"  {'as timed':17} {_number('within_10', verdict['as_timed']['within_10']):>8}   within 10 % without that correction")
    lines += _rounds_text(verdict)
    return "\n".join(lines + [f"  {reason}" for reason in verdict["reasons"]])


def _rounds_text(verdict: dict[str, Any]) -> list[str]:
    """What the corrections did, where there were any."""
    lines = []
    if len(verdict["iterations"]) > 1:
        lines.append("  round  measured  front  within 10 %  mean error  front regret")
        for number, done in enumerate(verdict["iterations"], 1):
            numbers = [_number("mape", done[name]) for name in ("within_10", "mape", "front_regret")]
            lines.append(f"  {number:5}  {done['measured']:8}  {done['front']:5}  {numbers[0]:>11}  {numbers[1]:>10}  {numbers[2]:>12}")
        lines.append(f"  stopped: {verdict['stopped']}")
    if verdict["corrected"] is not None:
        lines.append(
            f"  the corrected predictor is {verdict['corrected']['device']} in the run folder; the front is by its predictions now"
        )
    for point in verdict["dropped"]:
        lines.append(f"  left the front: {point['architecture']}, {point['constraint']} but {point['measured_ms']:.4g} ms measured")
    return lines


def _number(name: str, value: object) -> str:
    if not isinstance(value, float | int):
        return "-"
    return f"{value:.3f}" if name in ("spearman", "kendall") else f"{value:.1%}"
