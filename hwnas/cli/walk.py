"""`quickstart`: the whole walk in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, need, say


def quickstart(
    out: Annotated[
        Path, typer.Option(help="The folder for everything that is made; a second call goes on where the first stopped.")
    ] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json: Json = False,
) -> None:
    """Profile this machine, train on the digits images, search, verify, export and report: about four minutes."""
    need("sklearn", "xgboost", extra="predict")
    need("torch", "safetensors", "onnxscript", extra="train")
    need("pymoo", "moocore", extra="search")
    need("plotly", "jinja2", extra="report")
    from hwnas.quickstart import walk

    # The walk is done whatever its verdict is; `hwnas verify` is the command whose exit status is the verdict.
    summary = walk(out, seed=seed, say=_quiet if json else say, bar=bar)
    if json:
        emit(summary)


def _quiet(text: str) -> None:
    """Nothing is said: standard output is for the JSON object alone."""
