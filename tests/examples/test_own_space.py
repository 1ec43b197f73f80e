"""The example of a space of the user's own goes the whole way, by the commands that it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
OWN = f"{ROOT / 'examples' / 'own_space.py'}:Plain"


def hwnas(*arguments: object, cwd: Path) -> str:
    """A process of its own for every command: none may remember the space from the one before."""
    code = "import sys; from hwnas.cli import main; sys.argv[0] = 'hwnas'; main()"
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_space_is_shorter_than_thirty_lines() -> None:
    text = (ROOT / "examples" / "own_space.py").read_text().split('"""\n', 1)[1]
    assert len([line for line in text.splitlines() if line.strip()]) <= 30


def test_from_space_to_onnx_by_commands(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = rng.integers(0, 90, (90, 16, 16)).astype(np.uint8)
    images[labels == 1, :8] += 150
    images[labels == 2, :, :8] += 150
    np.savez(tmp_path / "images.npz", images=images, labels=labels, classes=np.array(["neither", "top", "left"]))
    shape = ("--resolution", 16, "--channels", 1, "--classes", 3)
    hwnas("profile", "--space", OWN, *shape, "--budget", "2s", "--out", "p.jsonl", cwd=tmp_path)
    hwnas("fit", "p.jsonl", "--out", "device.json", cwd=tmp_path)
    hwnas("train", "--space", OWN, "--data", "images.npz", "--epochs", 1, "--out", "net", cwd=tmp_path)
    found = hwnas(
        "search", "--supernet", "net", "--device", "device.json", "--space", OWN, "--evaluations", 8, "--seed", 0, "--out", "run", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(found)["counts"]["ok"] == 8
    written = json.loads(hwnas("export", "run", "--space", OWN, "--pick", "best", "--out", "best.onnx", "--json", cwd=tmp_path))
    assert written["max_difference"] < 1e-4


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    from device_profiles.errors import InputError
    from hwnas import spaces

    spec = spaces.load(OWN, classes=4, resolution=8).spec()
    assert spaces.from_spec(json.loads(json.dumps(spec))).choices[0].name == "conv1.width"
    with pytest.raises(InputError, match=r"not loaded: name it with --space FILE\.py:NAME"):
        spaces.from_spec(spec | {"name": "another"})
