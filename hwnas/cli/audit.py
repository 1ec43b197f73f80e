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
    ranking, gap, selection, stability = (found[name] for name in ("ranking", "gap", "selection", "stability"))
    lines = [
        f"{len(found['architectures'])} architectures, {found['options']['seeds']} trainings of each; Kendall's tau with 90 % interval"
    ]
    rows = [("super-network against the truth", ranking["tau"]), (f"  on the true best {ranking['top']['n']}", ranking["top"]["tau"])]
    rows += [(f"  {s['macs_low'] / 1e6:.3g} to {s['macs_high'] / 1e6:.3g} million MACs ({s['n']})", s["tau"]) for s in ranking["strata"]]
    rows += [("truth against truth with other seeds", ranking["ceiling"]), ("random ranking", ranking["chance"])]
    lines += [f"  {name:40}  {_quantity(value)}" for name, value in rows]
    for name, what in (("epochs", "last epochs"), ("seeds", "seeds")):
        if stability[name]["tau"] is not None:
            label = f"super-networks of {stability[name]['n']} {what}"
            lines.append(f"  {label:40}  {stability[name]['tau']:.2f}")
    correlated = gap["correlation"]["macs"]
    size = "" if correlated is None else f", correlation with log MACs {correlated:+.2f}"
    lines.append(f"own minus inherited accuracy: {gap['mean']:+.1%} on average, standard deviation {gap['std']:.1%}{size}")
    lost, rank = selection["regret"], selection["rank_of_first"]
    lines.append(f"choosing by the super-network loses {lost:.1%} of accuracy: its first choice is truly number {rank}")
    if found["noise"] is not None:
        lines.append(f"seeds alone change an accuracy by {found['noise']:.1%} (standard deviation)")
    return "\n".join(lines)


def _quantity(value: dict[str, float] | None) -> str:
    return "nothing to rank" if value is None else f"{value['value']:.2f}  ({value['low']:.2f} to {value['high']:.2f})"
