"""A `device.json` is read by other versions of Python, scikit-learn and xgboost than those that wrote it, and prices the same there.

Each case is a throw-away environment, so these tests are asked for: `make test-versions`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.profile import DeviceProfile
from predictors.network import NetworkPredictor

pytestmark = pytest.mark.skipif(not os.environ.get("HWNAS_VERSIONS"), reason="installs old versions: set HWNAS_VERSIONS=1")

ROOT = Path(__file__).resolve().parents[2]

#: Versions of the two libraries that what is learned passes through.
LIBRARIES = (("1.6.1", "2.1.4"), ("1.7.2", "3.0.5"))

#: Other Pythons, where they are installed.
PYTHONS = [name for name in ("python3.12", "python3.13", "python3.14") if shutil.which(name)]

CASES = [(sys.executable, *versions) for versions in LIBRARIES] + [(name, *LIBRARIES[-1]) for name in PYTHONS]

PRICE = """
import json, sys
import sklearn, xgboost
import predictors
from device_profiles.operators import Operator
device = predictors.load(sys.argv[1])
prices = device.predict_operators([Operator.from_json(op) for op in json.load(open(sys.argv[2]))])
print(json.dumps({"versions": [sklearn.__version__, xgboost.__version__], "prices": [[p.value, p.low, p.high, p.source] for p in prices]}))
"""

FIT = """
import sys
import predictors
from device_profiles import DeviceProfile
predictors.NetworkPredictor().fit(DeviceProfile.read(sys.argv[1])).save(sys.argv[2])
"""


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{Path(case[0]).name}, scikit-learn {case[1]}, xgboost {case[2]}")
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with these versions."""
    python, sklearn, xgboost = request.param
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([python, "-m", "venv", folder], check=True)
    wanted = ["numpy", "scipy", "onnx", "onnxruntime", "typer", "rich", f"scikit-learn=={sklearn}", f"xgboost-cpu=={xgboost}"]
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *wanted], check=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def operators(predictor: NetworkPredictor, lab: SimpleNamespace) -> list[dict[str, object]]:
    """Some that were measured, some that were not."""
    return [op.to_json() for op in (*predictor.pricer_.operators_[:10], *lab.some_operators(90, seed=7))]


def run(python: Path, code: str, *arguments: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, "-c", code, *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def test_prices_are_the_same_there(other: Path, predictor: NetworkPredictor, tmp_path: Path, operators: list[dict[str, object]]) -> None:
    predictor.save(tmp_path / "device.json")
    (tmp_path / "operators.json").write_text(json.dumps(operators))
    there = json.loads(run(other, PRICE, tmp_path / "device.json", tmp_path / "operators.json"))["prices"]
    here = json.loads(run(Path(sys.executable), PRICE, tmp_path / "device.json", tmp_path / "operators.json"))["prices"]
    assert len({row[3] for row in here}) >= 2
    assert [row[3] for row in there] == [row[3] for row in here]
    np.testing.assert_allclose([row[:3] for row in there], [row[:3] for row in here], rtol=1e-5)


def test_what_is_fitted_there_is_read_here(other: Path, profile: DeviceProfile, tmp_path: Path, operators: list[dict[str, object]]) -> None:
    profile.write(tmp_path / "profile.jsonl")
    (tmp_path / "operators.json").write_text(json.dumps(operators))
    run(other, FIT, tmp_path / "profile.jsonl", tmp_path / "device.json")
    prices = [
        json.loads(run(python, PRICE, tmp_path / "device.json", tmp_path / "operators.json"))["prices"]
        for python in (other, Path(sys.executable))
    ]
    np.testing.assert_allclose([row[:3] for row in prices[0]], [row[:3] for row in prices[1]], rtol=1e-5)
