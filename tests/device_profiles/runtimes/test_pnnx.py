"""The converter as a program that crashes, hangs or refuses; what it converts is tested with the runtime."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device_profiles.errors import DeviceError
from device_profiles.graphs import models
from device_profiles.operators import Operator, Tensor
from device_profiles.runtimes import RuntimeCrash, RuntimeProcess, pnnx
from device_profiles.runtimes.pnnx import converted

X = Tensor((1, 4, 8, 8))
PARAM = "7767517\n2 2\nInput in0 0 1 in0\nReLU r 1 1 in0 out0\n"


def test_without_pnnx_the_refusal_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match=r"^the package 'pnnx' is not installed: pip install 'hwnas\[ncnn\]'$"):
        pnnx.program()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a Python program in the place of pnnx; what it leaves in the folder for temporary files would be seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def replace(code: str) -> Path:
        path = tmp_path / "pnnx" / "pnnx"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{code}\n")
        path.chmod(0o755)
        monkeypatch.setattr(pnnx, "program", lambda: path)
        return folder

    return replace


def convert() -> tuple[str, dict[str, int]]:
    with converted(b"model", [(1, 3, 8, 8), (1, 5)], ["Conv", "Relu", "Conv"]) as result:
        return result.layers[1].type, dict(result.batch_axes)


def test_layers_and_batch_axes_are_read(program: Callable[[str], Path]) -> None:
    script = """ex.input("in0", ncnn.Mat(in0.numpy(), batch_index=0).clone())
out.append(torch.from_numpy(out0.numpy(batch_index=233)))"""
    folder = program(
        f"assert sys.argv[1:] == ['m.onnx', 'inputshape=[1,3,8,8]f32,[1,5]f32', 'fp16=0', *{pnnx._NOT_WRITTEN}], sys.argv\n"
        f"assert open('m.onnx', 'rb').read() == b'model'\n"
        f"open('m.ncnn.param', 'w').write({PARAM!r}); open('m.ncnn.bin', 'w'); open('m_ncnn.py', 'w').write({script!r})"
    )
    assert convert() == ("ReLU", {"in0": 0, "out0": 233})
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('what is this'); sys.exit(1)", r"^pnnx does not convert Conv, Relu: what is this$"),
        ("os.kill(os.getpid(), 11)", r"^pnnx crashed on Conv, Relu: SIGSEGV$"),
        ("time.sleep(60)", r"^pnnx hung: it did not convert Conv, Relu within 1 s$"),
        ("sys.exit(3)", r"^pnnx does not convert Conv, Relu: it ended with status 3$"),
        ("open('m.ncnn.param', 'w').write('nonsense'); open('m_ncnn.py', 'w')", r"^pnnx wrote no network that ncnn could read$"),
    ],
    ids=["refuses", "crashes", "hangs", "is silent", "writes nonsense"],
)  # fmt: skip
def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    code: str, message: str, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pnnx, "TIMEOUT_S", 1.0)
    folder = program(code)
    with pytest.raises(DeviceError, match=message):
        convert()
    assert not list(folder.iterdir())


def test_the_converter_ends_with_a_child_that_is_killed(
    program: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ncnn")
    started = tmp_path / "started"
    folder = program(f"open({str(started)!r}, 'w').write(f'{{os.getpid()}} {{os.getcwd()}}'); os.execvp('sleep', ['sleep', '60'])")
    (tmp_path / "pnnx" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    model = models.operator_model(Operator("Relu", (X,), (X,)))
    with RuntimeProcess("ncnn") as process:

        def kill() -> None:
            while not started.exists() or not started.read_text():
                time.sleep(0.05)
            assert process._child is not None
            process._child.kill()

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(RuntimeCrash, match="crashed: SIGKILL"):
            process.load(model, isolated=False)
        thread.join()
        number, where = started.read_text().split()
        assert Path(where).is_relative_to(folder)
        assert _gone(int(number))
        assert not list(folder.iterdir())


def _gone(process: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(50):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False
