"""Classifies a picture with an ONNX file that hwnas has exported. Needs onnxruntime and numpy, and Pillow to read picture files.

    python infer_NAME.py IMAGE [MODEL.onnx]

IMAGE is a picture, or a .npy file of pixels 0..255, of shape (h, w) or (h, w, c). The model is NAME.onnx beside this program when none is
given. Classes and preprocessing are read from the model itself. As a module: `Classifier("NAME.onnx")(pixels)`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Classifier:
    """An exported model with its classes and its preprocessing."""

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.classes: list[str] = json.loads(metadata["classes"])
        self.preprocessing: dict[str, Any] = json.loads(metadata["preprocessing"])

    def __call__(self, image: Any) -> list[tuple[str, float]]:
        """The classes of an image, `(h, w)` or `(h, w, c)` of 0..255, with their probabilities, the most likely first."""
        logits = self.session.run(["logits"], {"input": preprocess(image, self.preprocessing)})[0][0].astype(np.float64)
        powers = np.exp(logits - logits.max())
        return [(self.classes[i], float(powers[i] / powers.sum())) for i in np.argsort(-powers, kind="stable")]


def preprocess(image: Any, wanted: dict[str, Any]) -> Any:
    """The middle square of an image at the resolution of the network, float32 `(1, c, h, w)`: the way of the images it was trained on."""
    pixels = np.atleast_3d(np.asarray(image)).astype(np.float32)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, wanted["channels"]):
        raise SystemExit(f"the model takes images of {wanted['channels']} channels, (h, w, c) of 0..255; got {np.shape(image)}")
    pixels = np.repeat(pixels, wanted["channels"] // pixels.shape[2], axis=2).transpose(2, 0, 1)
    side = min(pixels.shape[1:])
    top, left = ((size - side) // 2 for size in pixels.shape[1:])
    pixels = pixels[:, top : top + side, left : left + side]
    if side != wanted["data_resolution"]:
        pixels = np.rint(np.clip(resize(pixels, wanted["data_resolution"]), 0, 255))
    return np.ascontiguousarray(resize(pixels / np.float32(wanted["divide_by"]), wanted["resolution"])[None])


def resize(pixels: Any, side: int) -> Any:
    """Square images `(c, h, h)` at `(c, side, side)`: bilinear, with a filter that widens when shrinking."""
    old = pixels.shape[1]
    if old == side:
        return pixels
    centres = (np.arange(side) + 0.5) * (old / side) - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old)[None, :] - centres[:, None]) / max(1.0, old / side))
    matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix @ pixels @ matrix.T


def read_image(path: Path, channels: int) -> Any:
    """The pixels of a .npy file or a picture."""
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    try:
        from PIL import Image
    except ImportError:
        raise SystemExit(f"{path}: reading pictures needs Pillow (pip install pillow); a .npy file of pixels needs nothing") from None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L" if channels == 1 else "RGB"))


def main() -> None:
    """Prints the five most likely classes of an image."""
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    program = Path(__file__).resolve()
    model = Path(sys.argv[2]) if len(sys.argv) == 3 else program.with_name(f"{program.stem.removeprefix('infer_')}.onnx")
    image = Path(sys.argv[1])
    for path in (image, model):
        if not path.is_file():
            raise SystemExit(f"no such file: {path}")
    classify = Classifier(model)
    for name, probability in classify(read_image(image, classify.preprocessing["channels"]))[:5]:
        print(f"{probability:7.2%}  {name}")


if __name__ == "__main__":
    main()
