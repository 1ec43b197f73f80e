"""Spaces that live outside the package: found by file or module, and looked at before anything is built on them."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from device_profiles.errors import InputError, unknown
from hwnas.spaces.base import MAKERS, OWN, SearchSpace


def is_own(name: str) -> bool:
    """Whether a name of a space is `file.py:NAME` or `module:NAME`."""
    return ":" in name


def load_own(name: str, *, classes: int, resolution: int, channels: int) -> SearchSpace:
    """The space at `file.py:NAME` or `module:NAME`; NAME is a `SearchSpace`, or makes one of `classes`, `resolution` and `channels`.

    The code is run: it is the user's own. Raises InputError that says what could not be found, or what the space lacks.
    """
    found = know(name)
    space = found if isinstance(found, SearchSpace) else found(classes=classes, resolution=resolution, channels=channels)
    if not isinstance(space, SearchSpace):
        raise InputError(f"{name} made a {type(space).__name__}, not a SearchSpace")
    examine(space)
    space.spec()
    return space


def know(name: str) -> Any:
    """The space, or the function that makes it; from now on, checkpoints and runs of such spaces are understood in this process."""
    where, _, attribute = name.rpartition(":")
    module = _module(where)
    if not hasattr(module, attribute):
        raise unknown(f"name in {where}", attribute, [key for key in vars(module) if not key.startswith("_")])
    found = getattr(module, attribute)
    if isinstance(found, SearchSpace):
        found.spec()
    elif callable(found):
        if found not in MAKERS:
            MAKERS.append(found)
    else:
        raise InputError(f"{name} is neither a SearchSpace nor a function that makes one, but {type(found).__name__}")
    return found


def recall(spec: dict[str, Any]) -> SearchSpace:
    """The space that wrote a spec of kind `own`. Raises InputError when its code was not loaded: a file never makes code run."""
    text = json.dumps(spec, sort_keys=True)
    for maker in MAKERS if text not in OWN else ():
        channels, resolution, _ = spec["input_shape"]
        maker(classes=spec["classes"], resolution=resolution, channels=channels).spec()
    if text not in OWN:
        raise InputError(
            f"the space {spec.get('name')!r} is somebody's own code, which is not loaded: name it with --space FILE.py:NAME, "
            "or call hwnas.spaces.load('FILE.py:NAME') first"
        )
    return OWN[text]


def examine(space: SearchSpace) -> None:
    """Looks at choices, parts and the smallest and the largest network. Raises InputError that says what is wrong."""
    names = [choice.name for choice in space.choices]
    for choice in space.choices:
        if not choice.values or len(set(choice.values)) < len(choice.values) or names.count(choice.name) > 1:
            raise InputError(f"{space.name}: choice {choice.name!r} needs a name of its own and different values, got {choice.values}")
    parts = {part.name for part in space.parts}
    for part in space.parts:
        if any(not 0 <= index < len(names) for index in part.choices):
            raise InputError(f"{space.name}: part {part.name!r} names choices {part.choices}, there are 0 to {len(names) - 1}")
    if len(parts) < len(space.parts):
        raise InputError(f"{space.name}: two parts have one name")
    for arch in (*space.smallest(), *space.largest()):
        network = space.network(arch)
        for name in (name for node in network.nodes for name in (node.name, *node.outputs)):
            if name.split("/")[0] not in parts or "/" not in name:
                raise InputError(f"{space.name}: {name!r} belongs to no part; nodes and values must be named '<part>/<something>'")
        shape = network.nodes[-1].operator.outputs[0].shape
        if shape != (1, space.classes):
            raise InputError(f"{space.name}: the network ends in shape {shape}, needed is (1, {space.classes}), one number per class")


def _module(where: str) -> ModuleType:
    if not where.endswith(".py"):
        try:
            return importlib.import_module(where)
        except ImportError as error:
            raise InputError(
                f"cannot import {where!r}: {error}; give a module that Python finds, or a file, such as my_space.py:SPACE"
            ) from error
    path = Path(where)
    if not path.is_file():
        raise InputError(f"there is no file {where}; a space of your own is given as FILE.py:NAME")
    key = f"hwnas_own.{path.resolve()}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module  # dataclasses look their module up there
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[key]
            raise
    return sys.modules[key]
