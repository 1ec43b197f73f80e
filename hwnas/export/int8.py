"""An exported network in 8-bit integers: quantise and dequantise nodes around its operators, which runtimes fuse into integer kernels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from device_profiles.errors import DeviceError
from device_profiles.onnx_io import IR_VERSION
from hwnas.export.convert import strip
from hwnas.export.quiet import quiet
from hwnas.export.scores import Pixels

#: Instruction sets that add up products of 8-bit numbers without saturating on the way.
_WIDE = {"avx512_vnni", "avx_vnni", "amx_int8"}


@dataclass(frozen=True, slots=True)
class Scheme:
    """How numbers become integers: the types of activations and weights, and whether weights are kept to 7 bits.

    Weights have a scale per output channel, activations one per tensor, from the least and largest value seen.
    """

    activations: str = "uint8"
    weights: str = "int8"
    seven_bits: bool = True

    @classmethod
    def for_device(cls, instructions: Sequence[str]) -> Scheme:
        """What onnxruntime's guide to quantisation advises for a processor with these instruction sets, as fingerprints list them.

        Products of 8-bit numbers can saturate on x86 without VNNI, hence 7 bits there, and where nothing is known.
        """
        if "asimd" in instructions:
            return cls("int8", "int8", False)
        return cls("uint8", "int8", not _WIDE & set(instructions))

    def to_json(self) -> dict[str, Any]:
        """The scheme as JSON."""
        return {"format": "QDQ", "per_channel": True, "ranges": "minimum and maximum", **asdict(self)}


def quantised(model: bytes, pixels: Pixels, scheme: Scheme) -> onnx.ModelProto:
    """The model in QDQ form, its ranges from pixels `(n, c, h, w)` of 0..1; the same input gives the same model.

    Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only inference, CVPR 2018, sections 2 and 3,
    as implemented by onnxruntime's static quantisation. Raises DeviceError when onnxruntime cannot quantise the model.
    """
    source = onnx.load_from_string(model)
    add_pre_process_metadata(source)  # batch-norm is folded and shapes are known: there is nothing left to prepare
    types = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder, quiet():
        target = Path(folder) / "int8.onnx"
        try:
            quantize_static(
                source, target, _Reader(pixels), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=scheme.seven_bits,
                activation_type=types[scheme.activations], weight_type=types[scheme.weights], calibrate_method=CalibrationMethod.MinMax,
                calibration_providers=["CPUExecutionProvider"],
            )  # fmt: skip
            result = onnx.load(target)
        except Exception as error:  # it raises whatever its many parts raise
            raise DeviceError(f"onnxruntime cannot quantise this network: {(str(error) or repr(error)).splitlines()[0]}") from error
    result.ir_version = IR_VERSION
    strip(result)
    onnx.checker.check_model(result)
    return result


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out one image after the other."""

    def __init__(self, pixels: Pixels) -> None:
        self._images: Iterator[Pixels] = iter(pixels)

    def get_next(self) -> dict[str, Pixels] | None:
        """The next image as the model's input, `(1, c, h, w)`; None at the end."""
        image = next(self._images, None)
        return None if image is None else {"input": np.ascontiguousarray(image[None])}
