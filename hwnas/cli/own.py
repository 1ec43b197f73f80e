"""The option by which commands that read checkpoints and runs learn of a space of the user's own."""

from __future__ import annotations

from typing import Annotated

import typer

Own = Annotated[
    str | None,
    typer.Option("--space", help="When it is of a space of your own: its code, FILE.py:NAME. A file never makes code run by itself."),
]


def know(space: str | None) -> None:
    """Loads the code of a space of the user's own, if there is one."""
    if space is not None:
        from hwnas.spaces import own

        own.know(space)
