"""`audit`: can the super-network be believed?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, need, say


def audit(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that `hwnas train` wrote.")],
    data: Annotated[str | None, typer.Option(help="The images, when they are not where they were at training.")] = None,
    architectures: Annotated[int, typer.Option(min=2, help="Architectures to train on their own.")] = 12,
    strata: Annotated[int, typer.Option(min=1, help="Slices of the space by MACs from which they are taken.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each, with different seeds.")] = 2,
    supernets: Annotated[int, typer.Option(min=0, help="More super-networks to train, with other seeds.")] = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of every training; as many as the super-network's when not given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides which architectures are trained.")] = 0,
    json: Json = False,
) -> None:
    """Train architectures on their own and say how well the super-network ranks them. A killed audit goes on when started again."""
    need("torch", "safetensors", extra="train")
    from hwnas.audit import RESULT
    from hwnas.audit import audit as run

    options = {
        "architectures": architectures, "strata": strata, "seeds": seeds, "supernets": supernets, "epochs": epochs, "seed": seed,
    }  # fmt: skip
    with bar("auditing") as update:
        found = run(checkpoint, data, progress=update, **options)
    if json:
        emit({"audit": str(checkpoint / RESULT), **found})
        return
    say(audit_text(found))
    say(f"saved to {checkpoint / RESULT}")


def audit_text(found: dict[str, Any]) -> str:
    """The result in a few lines for a terminal."""
    from hwnas.audit_words import heading, rankings, sentences

    rows = [f"  {name:40}  {text}" for name, text in rankings(found)]
    return "\n".join([heading(found), *rows, *sentences(found)])
