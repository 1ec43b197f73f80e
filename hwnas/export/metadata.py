"""What an exported file says about itself: JSON texts under a few keys of the model's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError

if TYPE_CHECKING:
    import onnx

    from hwnas.data import Dataset
    from hwnas.run import Run
    from hwnas.spaces.base import SearchSpace

#: Larger files are not read for their metadata.
MAX_BYTES = 2**31


def described(architecture: tuple[int, ...], side: int, space: SearchSpace, dataset: Dataset) -> dict[str, Any]:
    """What every exported sub-net says: classes, preprocessing, architecture, search space, versions and data.

    `side` is that of the images the network takes; those it was trained on may have been larger, see `preprocessing`.
    """
    return {
        "classes": list(dataset.class_names),
        "preprocessing": {
            "layout": "NCHW", "channels": dataset.channels, "data_resolution": dataset.resolution, "resolution": side,
            "crop": "middle square", "resize": "bilinear", "divide_by": 255,
        },
        "architecture": {"indices": list(architecture), "values": space.decode(architecture)},
        "space": space.spec(),
        "provenance": {
            **{package: version(package) for package in ("hwnas", "torch", "onnx", "onnxruntime")},
            "data": dataset.name, "data_sha256": dataset.sha256,
        },
    }  # fmt: skip


def origin_of(run: Run, architecture: tuple[int, ...]) -> dict[str, Any]:
    """The run that a point was found in, as JSON: names, seed, and every objective with its interval; no path of this machine."""
    spec, front = run.spec, run.front()
    point = next(point for point in front if point.architecture == architecture)
    device = spec.get("device") if isinstance(spec.get("device"), dict) else {}
    return {
        "run": run.path.resolve().name, "seed": spec.get("seed"), "algorithm": spec.get("algorithm"),
        "evaluations": sum(run.counts().values()), "device": (device or {}).get("name"), "supernet_sha256": _weights(spec),
        "objectives": {name: quantity.to_json() for name, quantity in point.objectives.items()},
        # What is known about its 8-bit version stands in that file.
        "learned": {name: q.to_json() for name, q in sorted(point.extras.items()) if not name.startswith("int8_")},
    }  # fmt: skip


def _weights(spec: Mapping[str, Any]) -> Any:
    supernet = spec.get("supernet")
    return supernet.get("sha256") if isinstance(supernet, dict) else None


def write(model: onnx.ModelProto, metadata: Mapping[str, Any]) -> bytes:
    """The model with these metadata, and no others, as the bytes of a file: the same model and metadata give the same bytes."""
    from onnx.helper import set_model_props

    del model.metadata_props[:]
    set_model_props(model, {name: json.dumps(metadata[name], sort_keys=True) for name in sorted(metadata)})
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def read(path: Path) -> dict[str, Any]:
    """The metadata of an exported file. Raises InputError for what is no ONNX file with JSON metadata."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        model = onnx.load(path, load_external_data=False)
        return {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    except (OSError, ValueError, DecodeError, RecursionError) as error:
        raise InputError(f"{path} is not a file that hwnas has exported: {str(error).splitlines()[0]}") from error
