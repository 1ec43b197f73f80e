"""Files beside the page: links to what is there, and the page itself, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from device_profiles.errors import InputError
from hwnas.export import metadata
from hwnas.report.model import Link


def links(paths: Iterable[Path], page: Path) -> list[Link]:
    """Relative links from a page to those of the files that exist."""
    base = page.resolve().parent
    return [Link(_href(os.path.relpath(path.resolve(), base)), path.name, path.stat().st_size) for path in paths if path.is_file()]


def _href(path: str) -> str:
    # "./" keeps a name such as "javascript:x" from being read as a scheme.
    return "./" + quote(path.replace(os.sep, "/"), safe="/")


def exported(models: Sequence[Path], page: Path) -> dict[tuple[int, ...], Link]:
    """The exported models by the architecture that their metadata name; 8-bit versions and files that hwnas has not made belong to none."""
    found: dict[tuple[int, ...], Link] = {}
    for path in models:
        with suppress(InputError, KeyError, TypeError, ValueError):
            facts = metadata.read(path)
            if "int8" not in facts:
                found[tuple(int(index) for index in facts["architecture"]["indices"])] = links([path], page)[0]
    return found


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it: a reader sees the old one or the new one.

    Raises InputError when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; give another place with --out") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files that only their owner reads; a report is as public as the umask says.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; give another place with --out") from error
    finally:
        Path(name).unlink(missing_ok=True)
