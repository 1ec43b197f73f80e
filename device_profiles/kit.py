"""The kit: one file that measures a device which has Python, numpy and onnxruntime, and nothing else.

Where the device has openvino or torch besides, the same kit measures that (`--runtime`).

A zip archive that Python runs (`python3 kit.pyz`): the modules that the target needs, and the models to measure, without their weights.
Equal models give an equal file, byte for byte.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from device_profiles.boards.shipped import Shipped, check_names
from device_profiles.errors import DeviceError, InputError

PACKAGE = "device_profiles"

#: What runs on the target; the rest of the package comes along when one of these imports it.
ENTRIES = (
    "device_profiles.agent",
    "device_profiles.boards.attach",
    "device_profiles.runtimes.worker",
    "device_profiles.runtimes.onnxruntime",
    "device_profiles.runtimes.openvino",
    "device_profiles.runtimes.torch",
)

#: First file of the archive that Python runs. Written for any Python, so that one that is too old gets a sentence and no syntax error.
MAIN = """\
import sys


def problem():
    if sys.version_info < (3, 10):
        return "Python %d.%d is too old: 3.10 or newer is needed" % sys.version_info[:2]
    if sys.maxsize < 2**32:
        return "this Python is a 32-bit program: onnxruntime needs a 64-bit system and a 64-bit Python"
    import importlib.util

    missing = [name for name in ("numpy", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        where = "~/.cache/hwnas/venv"
        return "%s missing: python3 -m venv %s && %s/bin/pip install numpy onnxruntime   (then start with %s/bin/python3)" % (
            " and ".join(missing) + (" is" if len(missing) == 1 else " are"), where, where, where)


wrong = problem()
if wrong:
    sys.stderr.write("hwnas: " + wrong + "\\n")
    sys.exit(3)

from device_profiles.kit import start

if __name__ == "__main__":
    sys.exit(start(sys.argv[0], sys.argv[1:]))
"""


def start(kit: str, argv: Sequence[str]) -> int:
    """Runs the kit in the file `kit`; returns the exit code."""
    if argv[:1] == ["attach"]:
        from device_profiles.boards import attach

        return attach.main(argv[1:], kit)
    from device_profiles import agent

    models, whole = read_kit(Path(kit))
    return agent.main(argv, models, whole)


def build_kit(models: Sequence[Shipped], whole: int | None = None) -> bytes:
    """The kit that measures `models`, of which `whole` are timed whole (all when None).

    Raises InputError without a model, or when two bear one name.
    """
    if not models:
        raise InputError("a kit needs at least one model")
    check_names(models)
    content = {"__main__.py": MAIN.encode(), **modules(), "kit.json": _manifest(models, whole)}
    content.update({_file(index): model.model for index, model in enumerate(models)})
    buffer = io.BytesIO()
    buffer.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def write_kit(path: Path, kit: bytes) -> None:
    """Writes the kit whole or not at all. Raises InputError when the file cannot be written, DeviceError when the disk is full."""
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(kit)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(0o755)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        kind = DeviceError if error.errno == 28 else InputError
        raise kind(f"{path}: cannot be written: {error.strerror or error}") from error


def read_kit(path: Path) -> tuple[list[Shipped], int | None]:
    """The models of a kit, and how many of them to time whole. Raises InputError when the file is no kit."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("kit.json"))
            return [Shipped(str(name), archive.read(_file(i))) for i, name in enumerate(manifest["models"])], manifest["whole"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a whole kit ({error}); make it again with: hwnas kit") from error


def identity(models: Sequence[Shipped], whole: int | None) -> str:
    """Twelve digits that tell what is measured, whatever version of the program measures it."""
    digest = hashlib.sha256(_manifest(models, whole))
    for model in models:
        digest.update(hashlib.sha256(model.model).digest())
    return digest.hexdigest()[:12]


def _manifest(models: Sequence[Shipped], whole: int | None) -> bytes:
    return json.dumps({"models": [model.name for model in models], "whole": whole}).encode()


def _file(index: int) -> str:
    return f"models/{index:04d}.onnx"


def modules() -> dict[str, bytes]:
    """The sources that the target needs, by their path in the archive: what `ENTRIES` import, and what that imports in turn."""
    root = Path(__file__).parents[1]
    found: dict[str, bytes] = {}
    todo = [PACKAGE, *ENTRIES, f"{PACKAGE}.kit"]
    while todo:
        path = _source(root, todo.pop())
        if path is not None and (name := path.relative_to(root).as_posix()) not in found:
            found[name] = path.read_bytes()
            todo += _imports(found[name])
    return dict(sorted(found.items()))


def _source(root: Path, module: str) -> Path | None:
    path = root.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _imports(source: bytes) -> list[str]:
    """The modules of this package that a source imports anywhere, and the packages around them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    inside = [name for name in names if name.split(".")[0] == PACKAGE]
    return [".".join(name.split(".")[:depth]) for name in inside for depth in range(1, name.count(".") + 2)]
