"""The kit on a board that has numpy and onnxruntime and nothing else, and on boards that lack one of them."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import time
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

from device_profiles import kit
from device_profiles.boards.shipped import Shipped
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.graphs import models
from device_profiles.operators import Tensor
from device_profiles.profile import DeviceProfile
from device_profiles.runtimes import RuntimeProcess, lowering
from hwnas import profiling, shipping, spaces
from predictors import NetworkPredictor

STANDARD = set(sys.stdlib_module_names)

#: Modules that are imported only where their runtime is, and what they need.
OF_ONE_RUNTIME = {
    "openvino.py": ("openvino",), "torch.py": ("torch",), "torch_graph.py": ("torch",), "torch_ops.py": ("torch",),
}  # fmt: skip


def install(site: Path, name: str) -> None:
    """Puts a package that is installed here into another environment."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if package.name != name:  # a module that is one file
        (site / Path(spec.origin).name).symlink_to(spec.origin)
        return
    for part in (package, package.with_name(f"{name}.libs")):
        if part.is_dir():
            (site / part.name).symlink_to(part)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python in whose environment there are numpy and onnxruntime only."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    python = folder / "env" / "bin" / "python3"
    site = next((folder / "env" / "lib").glob("python*/site-packages"))
    for name in ("numpy", "onnxruntime"):
        install(site, name)
    probe = subprocess.run([python, "-c", "import numpy, onnxruntime"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no environment with only numpy and onnxruntime can be made here: {probe.stderr[-200:]}")
    assert subprocess.run([python, "-c", "import onnx"], capture_output=True).returncode
    return str(python)


@pytest.fixture(scope="module")
def space_kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space = spaces.load("mobilenet-small", classes=10, resolution=32, channels=3)
    path = tmp_path_factory.mktemp("kit") / "kit.pyz"
    kit.write_kit(path, kit.build_kit(shipping.space_models(space), profiling.WHOLE_NETWORKS))
    return path


def small() -> Shipped:
    net = NetworkBuilder("small", {"input": Tensor((1, 3, 16, 16))})
    x = net.activation("relu", net.conv("conv", "input", 16, 3, 2))
    return Shipped("small/1x3x16x16", models.network_model(net.build(net.global_pool("pool", net.conv("conv2", x, 16, 3)))))


def test_kit_of_a_space_is_killed_half_way_and_goes_on(bare: str, space_kit: Path, tmp_path: Path) -> None:
    assert space_kit.stat().st_size < 1_000_000
    out = tmp_path / "pi.jsonl"
    command = [bare, str(space_kit), "--out", str(out), "--budget", "10s"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    first = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    journal, deadline = out.with_name("pi.jsonl.journal"), time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > 20_000) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    kept = journal.read_bytes().count(b"\n")
    second = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0, second.stderr
    assert kept > 50
    assert len(second.stdout.splitlines()) < 24
    assert "hwnas fit" in second.stdout
    assert "left" in second.stderr
    profile = DeviceProfile.read(out)
    assert len(profile.operators()) > 20
    assert not profile.failures()
    device = NetworkPredictor().fit(profile)
    space = spaces.load("mobilenet-small", classes=10, resolution=32, channels=3)
    with lowering() as lower:
        assert device.predict(lower(space.network(space.smallest()[0]))).latency_ms.value > 0


#: What a board needs for another runtime: its own package, and what that imports.
OTHERS = {
    "openvino": ("openvino", "openvino_telemetry", "packaging"),
    "torch": (
        "torch", "torchgen", "functorch", "typing_extensions", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "fsspec", "filelock",
        "setuptools",
    ),
}  # fmt: skip


@pytest.mark.parametrize("runtime", OTHERS)
def test_another_runtime_that_the_board_has(runtime: str, bare: str, tmp_path: Path) -> None:
    """With nothing but that runtime besides, and no onnx package; the model comes as a user's file does."""
    if find_spec(runtime) is None:
        pytest.skip(f"{runtime} is not installed here")
    site, file, out = tmp_path / "site", tmp_path / "small.onnx", tmp_path / "p.jsonl"
    site.mkdir()
    for name in OTHERS[runtime]:
        if find_spec(name) is not None:
            install(site, name)
    file.write_bytes(small().model)
    path = tmp_path / "kit.pyz"
    kit.write_kit(path, kit.build_kit(shipping.file_models([file])))
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(site)}
    command = [bare, str(path), "--out", str(out), "--budget", "3s", "--runtime", runtime]
    assert subprocess.run([bare, "-c", "import onnx"], env=environment, capture_output=True).returncode
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    profile = DeviceProfile.read(out)
    assert profile.device_name.endswith(f"/{runtime}/1t")
    assert not profile.failures()
    with RuntimeProcess(runtime) as here:
        plan = profiling.plan_files([file], here)
    measured = {m.key for m in profile.operators()}
    assert measured or profile.networks()  # a busy machine may not get to all within the budget
    assert measured <= {op.key for op in plan.operators}


def test_a_runtime_that_the_board_lacks_is_told_how_to_install(bare: str, tmp_path: Path) -> None:
    path = tmp_path / "kit.pyz"
    kit.write_kit(path, kit.build_kit([small()]))
    command = [bare, str(path), "--out", "p.jsonl", "--runtime", "openvino"]
    result = subprocess.run(command, env={"HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 3
    assert result.stderr == f"hwnas: the runtime openvino is not installed here: {bare} -m pip install openvino\n"


def test_the_modules_of_the_kit_import_nothing_else_at_their_tops() -> None:
    sources = kit.modules()
    assert {"device_profiles/agent.py", "device_profiles/runtimes/worker.py"} <= set(sources)
    for name, source in sources.items():
        tree = ast.parse(source, feature_version=(3, 10))
        if name.endswith("onnx_io.py"):
            continue  # imported only where shapes must be inferred, which on a target is nowhere
        for node in tree.body:
            found = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            )
            tops = {str(module).split(".")[0] for module in found}
            assert tops <= STANDARD | {"device_profiles", "numpy", "onnxruntime", *OF_ONE_RUNTIME.get(Path(name).name, ())}, name


def test_every_module_of_the_kit_is_importable_on_the_target(bare: str, tmp_path: Path) -> None:
    path = tmp_path / "kit.pyz"
    kit.write_kit(path, kit.build_kit([small()]))
    names = [
        name[:-3].replace("/", ".").removesuffix(".__init__")
        for name in kit.modules()
        if not name.endswith("onnx_io.py") and Path(name).name not in OF_ONE_RUNTIME
    ]
    code = (
        f"import sys; sys.path.insert(0, {str(path)!r})\nfor n in {names!r}: __import__(n)\nprint(sys.modules['device_profiles'].__file__)"
    )
    result = subprocess.run([bare, "-I", "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(path))


def test_equal_models_give_an_equal_kit_that_reads_back() -> None:
    one, two = small(), Shipped("other/1x3x16x16", small().model)
    assert kit.build_kit([one, two], 1) == kit.build_kit([one, two], 1)
    assert kit.identity([one], 1) != kit.identity([one], None) != kit.identity([two], None)
    with pytest.raises(InputError, match="at least one"):
        kit.build_kit([])
    with pytest.raises(InputError, match="two models"):
        kit.build_kit([one, one])


def test_a_kit_that_is_damaged_or_none(tmp_path: Path) -> None:
    path = tmp_path / "kit.pyz"
    data = kit.build_kit([small()])
    kit.write_kit(path, data)
    assert kit.read_kit(path) == ([small()], None)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="not a whole kit"):
        kit.read_kit(path)
    with pytest.raises(InputError, match="cannot be written"):
        kit.write_kit(Path("/proc/kit.pyz"), data)


def test_a_board_without_numpy_is_told_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "kit.pyz"
    kit.write_kit(path, kit.build_kit([small()]))
    result = subprocess.run([sys.executable, "-I", "-S", str(path), "--out", "p.jsonl"], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 3
    assert len(result.stderr.splitlines()) == 1
    assert "numpy and onnxruntime are missing" in result.stderr
    assert "pip install numpy onnxruntime" in result.stderr


@pytest.mark.parametrize(("patch", "words"), [("sys.version_info = (3, 9, 2)", "3.9 is too old"), ("sys.maxsize = 2**31 - 1", "64-bit")])
def test_a_board_with_an_unfit_python_is_told_so(patch: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(f"import sys; {patch}\n{kit.MAIN}")
    result = subprocess.run([sys.executable, "main.py"], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 3
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    ast.parse(kit.MAIN.replace("from device_profiles.kit import start", ""), feature_version=(3, 4))


def test_ctrl_c_keeps_everything_and_says_130(bare: str, tmp_path: Path) -> None:
    path, out = tmp_path / "kit.pyz", tmp_path / "p.jsonl"
    kit.write_kit(path, kit.build_kit([small()]))
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [bare, str(path), "--out", str(out)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    journal, deadline = out.with_name("p.jsonl.journal"), time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > 5_000) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "interrupted" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert journal.stat().st_size > 5_000
