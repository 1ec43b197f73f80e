"""ONNX models converted for ncnn by pnnx, a program of its own: it may crash or hang, and nothing of it is left behind."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_profiles.errors import DeviceError
from device_profiles.runtimes.ncnn_param import Layer, read_layers

#: Seconds that one conversion may take, and how many more for each million bytes of the model, which are written several times.
TIMEOUT_S, TIMEOUT_S_PER_MB = 120.0, 0.4

#: What is of no use here and as large as the model.
_NOT_WRITTEN = [f"{name}={os.devnull}" for name in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")]

#: What ncnn calls the axis of a batch where there is none.
NO_BATCH = 233

# The converter must not outlive whoever asked for it, even one that was killed: it is started by a process that binds itself to its parent.
_BOUND = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"

#: How the script that pnnx writes beside its result hands over an input, and takes an output.
_INPUT = re.compile(r'ex\.input\("(\w+)", ncnn\.Mat\(\w+\.numpy\(\), batch_index=(\d+)\)')
_OUTPUT = re.compile(r"(\w+)\.numpy\(batch_index=(\d+)\)\)\)")


@dataclass(frozen=True)
class Converted:
    """A model as ncnn reads it: its layers, the file of its weights, and by the name of an input or output the axis that is the batch."""

    layers: tuple[Layer, ...]
    weights: Path
    batch_axes: Mapping[str, int]


def program() -> Path:
    """Where pnnx is; importing its Python package would import torch. Raises DeviceError when it is not installed."""
    spec = importlib.util.find_spec("pnnx")
    if spec is None or spec.origin is None:
        raise DeviceError("the package 'pnnx' is not installed: pip install 'hwnas[ncnn]'")
    return Path(spec.origin).with_name("pnnx")


@contextmanager
def converted(model: bytes, shapes: Sequence[Sequence[int]], kinds: Sequence[str]) -> Iterator[Converted]:
    """The model in ncnn's form, in float32, while the block lasts.

    `shapes`: of the inputs, in order, all float32; `kinds`: of the nodes, for messages. Raises DeviceError, in one line, when pnnx refuses
    the model, crashes or hangs.
    """
    with tempfile.TemporaryDirectory(prefix="hwnas-") as name:
        folder = Path(name)
        (folder / "m.onnx").write_bytes(model)
        inputs = ",".join(f"[{','.join(map(str, shape))}]f32" for shape in shapes)
        said = _run(folder, inputs, kinds, TIMEOUT_S + TIMEOUT_S_PER_MB * len(model) / 1e6)
        param, script = folder / "m.ncnn.param", folder / "m_ncnn.py"
        if not param.exists() or not script.exists():
            raise DeviceError(f"pnnx does not convert {_named(kinds)}: {said}")
        text = script.read_text(encoding="utf-8")
        axes = {found[0]: int(found[1]) for pattern in (_INPUT, _OUTPUT) for found in pattern.findall(text)}
        yield Converted(read_layers(param.read_text(encoding="utf-8")), folder / "m.ncnn.bin", axes)


def _run(folder: Path, shapes: str, kinds: Sequence[str], timeout_s: float) -> str:
    """Runs pnnx in the folder; the last line that it wrote."""
    bound = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid())]
    command = [*bound, str(program()), "m.onnx", f"inputshape={shapes}", "fp16=0", *_NOT_WRITTEN]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise DeviceError(f"pnnx hung: it did not convert {_named(kinds)} within {timeout_s:.0f} s") from None
    if done.returncode < 0:
        raise DeviceError(f"pnnx crashed on {_named(kinds)}: {signal.Signals(-done.returncode).name}")
    lines = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:120] if lines else f"it ended with status {done.returncode}"


def _named(kinds: Sequence[str]) -> str:
    """The kinds of nodes of a model, each once, in a few words."""
    distinct = sorted(set(kinds))
    return ", ".join(distinct[:6]) + (f" and {len(distinct) - 6} more kinds" if len(distinct) > 6 else "")
