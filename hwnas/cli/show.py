"""What the commands share: progress bars, JSON output, checked arguments."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from device_profiles.durations import seconds
from device_profiles.errors import InputError

__all__ = ["bar", "emit", "need", "say", "seconds"]


def need(*modules: str, extra: str) -> None:
    """Raises InputError that names the extra to install when one of the modules is not there."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise InputError(f"this command needs {module}: pip install 'hwnas[{extra}]'")


def emit(content: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    print(json.dumps(content, allow_nan=False))


def say(text: str) -> None:
    """A line for people, on standard output."""
    print(text, flush=True)


@contextmanager
def bar(title: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error; yields `update(share done, message)`.

    On a terminal it is drawn; elsewhere a line is written whenever another tenth is done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=1.0, note="")
        yield lambda share, message: progress.update(task, completed=min(share, 1.0), note=message)


def _lines(title: str) -> Callable[[float, str], None]:
    reached = -1

    def update(share: float, message: str) -> None:
        """A line for every tenth of the way."""
        nonlocal reached
        if int(share * 10) > reached:
            reached = int(share * 10)
            print(f"{title}: {min(share, 1.0):4.0%}  {message}", file=sys.stderr, flush=True)

    return update
