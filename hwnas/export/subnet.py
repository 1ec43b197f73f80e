"""A sub-net as a stand-alone ONNX file, with proof that it computes the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from device_profiles.errors import DeviceError, InputError
from device_profiles.onnx_io import read_network
from hwnas.data import Dataset, Images
from hwnas.export import metadata
from hwnas.export.convert import adopt_names, to_onnx
from hwnas.export.scores import largest_difference
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import SubNet, Supernet, UncalibratedError
from hwnas.supernet.calibration import calibrate, calibration_images
from hwnas.supernet.checkpoint import write_atomically
from hwnas.supernet.resize import resized
from hwnas.torch_tools import to_input

#: Largest difference of any output, between torch and onnxruntime, that counts as the same network.
TOLERANCE = 1e-4
#: Images on which outputs are compared.
PROOF_IMAGES = 256


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written and how well it agrees: `max_difference` is the largest absolute difference of any logit over `images` images."""

    path: Path
    architecture: tuple[int, ...]
    max_difference: float
    images: int
    operators: tuple[str, ...]
    macs: int
    params: int
    bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self) | {"path": str(self.path), "architecture": list(self.architecture), "operators": list(self.operators)}


def export(
    supernet: Supernet,
    arch: Sequence[int] | Archs,
    path: str | os.PathLike[str],
    *,
    dataset: Dataset,
    origin: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Calibrates one architecture as scoring does and writes it to `path` as ONNX; see `export_subnet`.

    The architecture stays active and calibrated. Raises InputError for an illegal architecture, other data than the space is for, or a file
    that cannot be written; DeviceError when the written network does not compute the same.
    """
    dataset.require(supernet.space.input_shape, supernet.space.classes, "the super-network")
    supernet.activate(arch)
    calibrate(supernet, calibration_images(dataset))
    training = supernet.training
    subnet = supernet.eval().extract()
    supernet.train(training)
    return export_subnet(subnet, path, space=supernet.space, dataset=dataset, origin=origin)


def export_subnet(
    subnet: SubNet, path: str | os.PathLike[str], *, space: SearchSpace, dataset: Dataset, origin: Mapping[str, Any] | None = None
) -> ExportReport:
    """Writes a stand-alone, calibrated sub-net to `path` as ONNX, after proving on held-out images that onnxruntime computes the same.

    The input is called `input`, float32 `(1, c, h, w)`, pixels divided by 255; the output `logits`, `(1, classes)`. Batch-norm is folded.
    The model's metadata hold classes, preprocessing, architecture, search space and provenance as JSON; `origin` is what the provenance
    says beyond versions and data, see `metadata.origin_of`. Nothing is written unless the largest difference of any logit is below
    `TOLERANCE`. Raises UncalibratedError, InputError for a file that cannot be written, DeviceError when the proof fails.
    """
    if not subnet.calibrated:
        raise UncalibratedError(
            f"sub-net {list(subnet.architecture)} cannot be exported: it was extracted before calibrate(), so its predictions mean nothing"
        )
    target = Path(path)
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder; give the path of an .onnx file")
    images = proof_images(dataset)
    with torch.inference_mode():
        pixels = resized(to_input(images), subnet.side)  # the file takes images of the architecture's own resolution
        expected = subnet.eval()(pixels).numpy()
    model = to_onnx(subnet, space.image_shape(subnet.architecture))
    adopt_names(model, space.network(subnet.architecture))
    facts = metadata.described(subnet.architecture, subnet.side, space, dataset)
    content = metadata.write(model, {**facts, "provenance": {**facts["provenance"], **(origin or {})}})
    difference = largest_difference(content, pixels.numpy(), expected)
    if not difference < TOLERANCE:  # also catches NaN
        raise DeviceError(
            f"{target} was not written: onnxruntime and torch differ by {difference:.2g} on {len(images)} images, allowed is {TOLERANCE:g}"
        )
    network = read_network(content)
    write_atomically(target, content)
    operators = tuple(node.op_type for node in model.graph.node)
    digest = hashlib.sha256(content).hexdigest()
    return ExportReport(target, subnet.architecture, difference, len(images), operators, network.macs, network.params, len(content), digest)


def proof_images(dataset: Dataset) -> Images:
    """Real images to compare outputs on: validation images, and test and training images where there are too few of them."""
    splits = (dataset.validation, dataset.test, dataset.train)
    return np.concatenate([split.images[:PROOF_IMAGES] for split in splits])[:PROOF_IMAGES]
