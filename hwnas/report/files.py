"""Files beside the page: links to what is there, and the page itself, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from device_profiles.errors import InputError
from hwnas.report.model import Link


def links(paths: Iterable[Path], page: Path) -> list[Link]:
    """Relative links from a page to those of the files that exist."""
    base = page.resolve().parent
    return [Link(_href(os.path.relpath(path.resolve(), base)), path.name, path.stat().st_size) for path in paths if path.is_file()]


def _href(path: str) -> str:
    # "./" keeps a name such as "javascript:x" from being read as a scheme.
    return "./" + quote(path.replace(os.sep, "/"), safe="/")


def model_of(architecture: Sequence[int], models: Iterable[Link]) -> Link | None:
    """The exported model that bears the indices of an architecture as its name, such as `1-0-2.onnx`."""
    names = {f"{mark.join(map(str, architecture))}.onnx" for mark in ".-_"}
    return next((model for model in models if model.name in names), None)


def write_atomically(path: Path, text: str) -> None:
    """Write a file under another name and rename it: a reader sees the old one or the new one.

    Raises InputError when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; give another place with --out") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp makes files that only their owner reads; a report is as public as the umask says.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; give another place with --out") from error
    finally:
        Path(name).unlink(missing_ok=True)
