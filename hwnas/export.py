"""A sub-net as a stand-alone ONNX file, with proof that it computes the same."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from device_profiles.errors import DeviceError, InputError
from device_profiles.onnx_io import IR_VERSION, read_network
from device_profiles.operators import Network
from hwnas.data import Dataset, Images
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import SubNet, Supernet, UncalibratedError
from hwnas.supernet.calibration import calibrate, calibration_images
from hwnas.supernet.checkpoint import write_atomically
from hwnas.supernet.fold import fold_batch_norm
from hwnas.supernet.resize import resized
from hwnas.torch_tools import to_input

#: What torch writes without converting.
OPSET = 18
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


def export(supernet: Supernet, arch: Sequence[int] | Archs, path: str | os.PathLike[str], *, dataset: Dataset) -> ExportReport:
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
    return export_subnet(subnet, path, space=supernet.space, dataset=dataset)


def export_subnet(subnet: SubNet, path: str | os.PathLike[str], *, space: SearchSpace, dataset: Dataset) -> ExportReport:
    """Writes a stand-alone, calibrated sub-net to `path` as ONNX, after proving on validation images that onnxruntime computes the same.

    The input is called `input`, float32 `(1, c, h, w)`, pixels divided by 255; the output `logits`, `(1, classes)`. Batch-norm is folded.
    The model's metadata hold classes, preprocessing, architecture, search space and provenance as JSON. Nothing is written unless the
    largest difference of any logit is below `TOLERANCE`. Raises UncalibratedError, InputError for a file that cannot be written,
    DeviceError when the proof fails.
    """
    if not subnet.calibrated:
        raise UncalibratedError(
            f"sub-net {list(subnet.architecture)} cannot be exported: it was extracted before calibrate(), so its predictions mean nothing"
        )
    target = Path(path)
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder; give the path of an .onnx file")
    images = dataset.validation.images[:PROOF_IMAGES]
    with torch.inference_mode():
        pixels = resized(to_input(images), subnet.side)  # the file takes images of the architecture's own resolution
        expected = subnet.eval()(pixels).numpy()
    model = to_onnx(subnet, space.image_shape(subnet.architecture))
    _adopt_names(model, space.network(subnet.architecture))
    metadata = _metadata(subnet, space, dataset)
    onnx.helper.set_model_props(model, {name: json.dumps(value, sort_keys=True) for name, value in metadata.items()})
    content = model.SerializeToString(deterministic=True)
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


def to_onnx(subnet: SubNet, input_shape: tuple[int, int, int]) -> onnx.ModelProto:
    """The sub-net as an ONNX model with batch-norm folded, without traces of the exporter (such as paths of source files)."""
    folded = copy.deepcopy(subnet).eval()
    fold_batch_norm(folded)
    with _quiet():
        program = torch.onnx.export(
            folded, (torch.zeros(1, *input_shape),), dynamo=True, external_data=False, opset_version=OPSET, verbose=False,
            input_names=["input"], output_names=["logits"],
            custom_translation_table={torch.ops.aten.adaptive_avg_pool2d.default: _pool_operator()},
        )  # fmt: skip
    if program is None:
        raise DeviceError("torch.onnx.export returned nothing")
    model: onnx.ModelProto = program.model_proto
    model.ir_version = IR_VERSION  # newer defaults are refused by released runtimes
    _restore_flatten(model)
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def largest_difference(model: bytes, images: Images | npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """The largest absolute difference between onnxruntime's outputs for `images` (uint8, or pixels 0..1) and `expected`, `(n, classes)`.

    NaN when either has NaN. Raises DeviceError when onnxruntime refuses the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        pixels = images if images.dtype == np.float32 else images.astype(np.float32) / 255
        found = [session.run(["logits"], {"input": image[None]})[0] for image in pixels]
    except Exception as error:  # onnxruntime's errors have no common base of their own
        raise DeviceError(f"onnxruntime cannot run the exported model: {str(error).splitlines()[0]}") from error
    return float(np.abs(np.concatenate(found) - expected).max())


def _pool_operator() -> Callable[..., Any]:
    """Global pooling as one operator; the exporter's own translation is a mean and reshapes, which is another kernel at another price."""
    from onnxscript import opset18

    def pool(x: Any, output_size: Sequence[int]) -> Any:
        """Adaptive pooling to 1 x 1 as the operator that runtimes know."""
        if set(output_size) != {1}:
            raise InputError(f"only global pooling to 1 x 1 can be exported, got {tuple(output_size)}")
        return opset18.GlobalAveragePool(x)

    return pool


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what the exporter prints, warns and logs; exceptions pass."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _restore_flatten(model: onnx.ModelProto) -> None:
    """Turns a Reshape to two dimensions that keeps the batch back into the Flatten that it was, and drops its shape constant."""
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.value_info}
    for node in model.graph.node:
        before, after = (shapes.get(name, []) for name in (node.input[0], node.output[0])) if node.op_type == "Reshape" else ([], [])
        if len(after) == 2 and before[:1] == after[:1]:
            del node.attribute[:], node.input[1:]
            node.op_type = "Flatten"  # its axis is 1 unless it says otherwise
    used = {name for node in model.graph.node for name in node.input}
    kept = [constant for constant in model.graph.initializer if constant.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _strip(model: onnx.ModelProto) -> None:
    """Removes doc strings and the exporter's metadata: stack traces with paths of this machine."""
    graph = model.graph
    for item in (model, graph):
        item.doc_string = ""
        del item.metadata_props[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]


def _adopt_names(model: onnx.ModelProto, network: Network) -> None:
    """Names the nodes as the search space names them, where both have the same operators in the same order."""
    if [node.op_type for node in model.graph.node] == [node.operator.kind for node in network.nodes]:
        for exported, described in zip(model.graph.node, network.nodes, strict=True):
            exported.name = described.name


def _metadata(subnet: SubNet, space: SearchSpace, dataset: Dataset) -> dict[str, Any]:
    return {
        "classes": list(dataset.class_names),
        "preprocessing": {
            "layout": "NCHW", "channels": dataset.channels, "resolution": subnet.side, "resize": "bilinear", "divide_by": 255,
        },
        "architecture": {"indices": list(subnet.architecture), "values": space.decode(subnet.architecture)},
        "space": space.spec(),
        "provenance": {"hwnas": version("hwnas"), "torch": version("torch"), "data": dataset.name, "data_sha256": dataset.sha256},
    }  # fmt: skip
