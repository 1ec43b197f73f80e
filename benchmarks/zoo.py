"""Real models that nobody here wrote: exports architectures of timm to ONNX files, for benchmarks that judge predictions on them.

    pip install --no-deps timm torchvision==0.28.0
    python benchmarks/zoo.py --out FOLDER [MODEL ...]

Random weights (times do not depend on them), batch 1, the resolution that the model is meant for; without names one or more small models
of about a hundred families. A model that cannot be exported is named and left out. Files that are there are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import time
import warnings
from pathlib import Path
from typing import Any

import torch

#: One or more of a family, small enough for one core.
MODELS = Path(__file__).with_name("zoo.txt").read_text(encoding="utf-8").split()


def load_timm() -> Any:
    """The package; its detection operators, which the processor build of torchvision lacks, are declared first and never called."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm

    return timm, library


def export(timm: Any, name: str, path: Path) -> None:
    """One model as one ONNX file of fixed shape, by the exporter that manages it."""
    model = timm.create_model(name, pretrained=False, exportable=True).eval()
    images = torch.randn(1, *model.pretrained_cfg.get("input_size", (3, 224, 224)))
    part = path.with_suffix(".part")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        try:
            torch.onnx.export(model, (images,), part, dynamo=False, opset_version=18)
        except (RuntimeError, torch.onnx.errors.OnnxExporterError):
            torch.onnx.export(model, (images,), part, dynamo=True, external_data=False, opset_version=18)
    os.replace(part, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("models", nargs="*", default=MODELS)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    timm, _library = load_timm()
    for name in arguments.models:
        path, start = arguments.out / f"{name}.onnx", time.monotonic()
        if path.exists():
            continue
        try:
            export(timm, name, path)
        except Exception as error:
            print(f"{name}: left out: {type(error).__name__}: {' '.join(str(error).split())[:120]}", flush=True)
        else:
            print(f"{name}: {path.stat().st_size / 1e6:.0f} MB in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
