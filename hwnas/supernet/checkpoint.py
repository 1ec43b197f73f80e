"""A super-network on disk: one safetensors file whose header carries the rest as JSON. Nothing is pickled.

One file, because two files cannot be replaced together: a kill between them would leave weights of one epoch with the books of another.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from device_profiles.errors import DeviceError, InputError
from hwnas.spaces import from_spec
from hwnas.supernet.base import Supernet
from hwnas.supernet.strategies import STRATEGIES, make

#: The file in a training's folder.
FILE = "supernet.safetensors"
#: Raised when the meaning of the file changes.
FORMAT = 1
#: Before the names of tensors: weights, their average where there is one, the optimiser's state, what the strategy learned.
WEIGHT, AVERAGE, OPTIMISER, STRATEGY = "weight/", "average/", "optimiser/", "strategy/"

# safetensors keeps its header entries in random order, so everything is in one entry: equal contents are equal bytes.
_ENTRY = "hwnas"


def save(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
    """Writes tensors and JSON `metadata` to `path`, all or nothing. Equal contents give equal bytes. Raises InputError if it cannot."""
    plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": FORMAT, **metadata}, sort_keys=True, allow_nan=False)
    write_atomically(path, to_bytes(plain, {_ENTRY: text}))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and metadata of a checkpoint file or of the folder that holds it. Raises InputError when it is no such file."""
    file = checkpoint_file(path)
    if not file.is_file():
        raise InputError(f"no super-network checkpoint at {path}: `hwnas train --out {path}` makes one")
    try:
        with safe_open(file, framework="pt") as content:
            text = (content.metadata() or {}).get(_ENTRY, "")
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - not a dict
        metadata = json.loads(text) if text else None
    except (SafetensorError, OSError, ValueError, MemoryError) as error:
        raise InputError(f"{file}: not a readable checkpoint ({str(error).splitlines()[0]})") from error
    if not isinstance(metadata, dict):
        raise InputError(f"{file}: a safetensors file, but not a checkpoint of hwnas")
    if metadata.get("format") != FORMAT:
        raise InputError(f"{file}: checkpoint format {metadata.get('format')!r}; this version of hwnas reads format {FORMAT}")
    return tensors, metadata


def load(path: str | os.PathLike[str]) -> tuple[Supernet, dict[str, Any]]:
    """The super-network of a checkpoint (a file or the folder of a training), in eval mode, with the checkpoint's metadata.

    It has the averaged weights where the training averaged them; its largest sub-net is active and not calibrated.
    Raises InputError when the file is damaged or belongs to a space that is not here.
    """
    tensors, metadata = read(path)
    try:
        space, trained = from_spec(metadata["space"]), metadata.get("strategy")
        if trained is None or trained["name"] not in STRATEGIES:  # somebody's own strategy: its weights fit, or that is said
            supernet = space.supernet()
        else:
            supernet = make(trained["name"], trained["options"]).supernet(space)
    except (KeyError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError) as error:
        raise InputError(f"{path}: the checkpoint does not describe a search space ({type(error).__name__}: {error})") from error
    assert isinstance(supernet, Supernet)
    load_weights(supernet, part(tensors, AVERAGE) or part(tensors, WEIGHT), path)
    supernet.eval()
    return supernet, metadata


def weights(supernet: Supernet) -> dict[str, torch.Tensor]:
    """The weights of a super-network by name, each once: where modules are shared, the first of their names."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in supernet.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor.detach()
    return found


def load_weights(supernet: Supernet, found: Mapping[str, torch.Tensor], path: str | os.PathLike[str]) -> None:
    """Copies weights by name into the super-network. Raises InputError when names, shapes or values do not fit."""
    wanted = {name: tuple(tensor.shape) for name, tensor in weights(supernet).items()}
    given = {name: tuple(tensor.shape) for name, tensor in found.items()}
    if given != wanted:
        odd = next(name for name in sorted({**wanted, **given}) if wanted.get(name) != given.get(name))
        raise InputError(f"{path}: weight {odd} has shape {given.get(odd)}, this super-network needs {wanted.get(odd)}")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in found.values()):
        raise InputError(f"{path}: the weights contain NaN or infinite values")
    supernet.load_state_dict(found, strict=False)  # names are checked above; strict would miss the second names of shared modules


def part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, which is taken off."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def checkpoint_file(path: str | os.PathLike[str]) -> Path:
    """The checkpoint at `path`: the file itself, or the one in that folder."""
    return Path(path) / FILE if os.path.isdir(path) else Path(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that at every moment either the old or the new content is there.

    Raises InputError when it cannot be written there, DeviceError when the disk is full or broken.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        kind = DeviceError if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else InputError
        raise kind(f"cannot write {path}: {error.strerror or error}") from error
