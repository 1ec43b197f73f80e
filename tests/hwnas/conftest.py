"""A whole small walk, made once: a profile of a tiny space, its predictor, a trained super-network and a searched run."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest


class Walk(NamedTuple):
    """Where everything of the walk lies."""

    folder: Path
    images: Path
    profile: Path
    device: Path
    supernet: Path
    run: Path


def run_cli(*arguments: object) -> tuple[int, str, str]:
    """Runs the command line in this process; returns exit code, standard output and standard error."""
    import contextlib
    import io
    import sys

    from hwnas.cli import main

    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["hwnas", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    return int(stop.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="session")
def tiny_space() -> Callable[[str], Any]:
    """`tiny_space(name)`: that named space, small enough for a battery."""
    found: Callable[[str], Any] = runpy.run_path(str(Path(__file__).parent / "tiny_spaces.py"))["tiny"]
    return found


@pytest.fixture(scope="session")
def cli() -> Any:
    """`cli("predict", path, ...)` -> (exit code, stdout, stderr)."""
    return run_cli


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Every step by its command, on images of two easy classes and with short budgets."""
    folder = tmp_path_factory.mktemp("walk")
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = rng.integers(0, 60, (120, 16, 16)).astype(np.uint8)
    images[labels == 1, :8] += 150
    images[labels == 2, :, :8] += 150
    np.savez(folder / "images.npz", images=images, labels=labels, classes=np.array(["neither", "top", "left"]))
    walk = Walk(folder, folder / "images.npz", folder / "p.jsonl", folder / "device.json", folder / "supernet", folder / "run")
    space = ("--space", "mobilenet-small")
    steps: list[tuple[object, ...]] = [
        ("profile", *space, "--resolution", 16, "--channels", 1, "--classes", 3, "--budget", "6s", "--out", walk.profile),
        ("fit", walk.profile, "--out", walk.device),
        ("train", *space, "--data", walk.images, "--epochs", 2, "--out", walk.supernet),
        ("search", "--supernet", walk.supernet, "--device", walk.device, "--evaluations", 12, "--seed", 3, "--out", walk.run),
    ]
    for step in steps:
        code, _, err = run_cli(*step)
        assert code == 0, (step, err)
    return walk
