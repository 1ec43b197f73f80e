from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device_profiles.errors import InputError
from predictors.network import NetworkPredictor
from predictors.store import SCHEMA, checksum, load, save


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, predictor: NetworkPredictor) -> Path:
    path = tmp_path_factory.mktemp("store") / "deep" / "device.json"
    predictor.save(path)
    return path


def test_prices_are_the_same_to_the_last_bit(lab: SimpleNamespace, file: Path, predictor: NetworkPredictor) -> None:
    again = load(file)
    operators = [*lab.some_operators(150, seed=20), *lab.some_operators(60), lab.elementwise("Odd", 3)]
    assert {p.source for p in predictor.predict_operators(operators)} >= {"measured", "base"}
    assert again.predict_operators(operators) == predictor.predict_operators(operators)
    net = lab.chain(operators)
    assert again.predict(net).latency_ms == predictor.predict(net).latency_ms
    assert again.device_name_ == predictor.device_name_


def test_both_models_survive(lab: SimpleNamespace, tmp_path: Path, profile: Any) -> None:
    operators = lab.some_operators(80, seed=30)
    for source in ("trees", "interpolated"):
        fitted = NetworkPredictor().fit(profile)
        fitted.pricer_.choice_ = {"": source}
        save(fitted, tmp_path / "d.json")
        expected = fitted.predict_operators(operators)
        assert source in {price.source for price in expected}
        assert load(tmp_path / "d.json").predict_operators(operators) == expected


def test_saving_what_was_loaded_gives_the_same_file(file: Path, tmp_path: Path) -> None:
    load(file).save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == file.read_bytes()


def test_tables_from_a_loaded_predictor_are_the_same(lab: SimpleNamespace, file: Path, predictor: NetworkPredictor, space: Any) -> None:
    archs = space.sample(50, np.random.default_rng(0))
    assert load(file).compile(space, lab.fusing).price(archs).tolist() == predictor.compile(space, lab.fusing).price(archs).tolist()


def test_says_what_it_was_made_from_and_can_be_read(file: Path) -> None:
    data = json.loads(file.read_text())
    assert (data["type"], data["schema"]) == ("hwnas-device", SCHEMA)
    assert data["profile"] == {"sha256": "ab" * 32, "operators": 60, "networks": 12, "canaries": {}}
    assert data["protocol"] == {"block_ms": 10.0}
    assert data["runtime"]["name"] == "onnxruntime"
    assert "xgboost-cpu" in data["versions"] or "xgboost" in data["versions"]
    assert len(file.read_text().splitlines()) > 100
    assert not list(file.parent.glob("*.tmp"))


def edited(file: Path, change: Callable[[dict[str, Any]], None], sign: bool = False) -> str:
    data = json.loads(file.read_text())
    change(data)
    if sign:
        data["checksum"] = checksum({k: v for k, v in data.items() if k not in ("type", "schema", "checksum")})
    return json.dumps(data)


WRONG: dict[str, tuple[Callable[[Path], str | bytes], str]] = {
    "empty": (lambda file: "", "no JSON object"),
    "cut short": (lambda file: file.read_text()[:5000], "cut short or damaged"),
    "binary": (lambda file: b"\x00\xff\xfe" * 50, "no text"),
    "text": (lambda file: "latency 5 ms", "no JSON object"),
    "a list": (lambda file: "[1, 2]", "its type is 'list'"),
    "another type": (lambda file: json.dumps({"type": "run"}), "its type is 'run'"),
    "a profile": (lambda file: json.dumps({"type": "header", "schema": 1}), "run `hwnas fit` on it first"),
    "a long profile": (lambda file: '{"type":"header","schema":1}\n{"type":"operator"}\n', "run `hwnas fit` on it first"),
    "newer": (lambda file: edited(file, lambda d: d.update(schema=SCHEMA + 1)), "newer than this program reads"),
    "older": (lambda file: edited(file, lambda d: d.update(schema=SCHEMA - 1)), "older than this program reads"),
    "no schema": (lambda file: edited(file, lambda d: d.pop("schema")), "schema None"),
    "edited": (lambda file: edited(file, lambda d: d["head"].update(scale=0.5)), "does not match its checksum"),
    "edited operator": (lambda file: edited(file, lambda d: d["operators"].pop()), "does not match its checksum"),
    "not a number": (lambda file: edited(file, lambda d: d["head"].update(scale=float("nan")), sign=True), "cut short or damaged"),
    "other features": (lambda file: edited(file, lambda d: d["features"].pop(), sign=True), "describes operators differently"),
    "incomplete": (lambda file: edited(file, lambda d: d.pop("head"), sign=True), "not a complete device.json"),
    "no operators": (lambda file: edited(file, lambda d: d.update(operators=[]), sign=True), "at least one measured operator"),
    "bad operator": (lambda file: edited(file, lambda d: d["operators"][0].update(operator=7), sign=True), "not an operator"),
    "bad trees": (lambda file: edited(file, lambda d: d["trees"].update(booster={}), sign=True), "does not read these trees"),
    "bad rates": (lambda file: edited(file, lambda d: d["roofline"].update(rates=[]), sign=True), "not a complete device.json"),
    "bad lookup": (lambda file: edited(file, lambda d: d["lookup"].update(groups={}), sign=True), "not a complete device.json"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_one_line(tmp_path: Path, file: Path, name: str) -> None:
    make, message = WRONG[name]
    content = make(file)
    bad = tmp_path / "bad.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        load(bad)
    assert str(caught.value).startswith(str(bad))
    assert "\n" not in str(caught.value)


def test_missing_and_misspelt() -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file or directory; make one with `hwnas fit"):
        load("none.json")
    with pytest.raises(InputError, match="unknown device 'epic/onnxruntime/1t': did you mean 'epyc/onnxruntime/1t'"):
        load("epic/onnxruntime/1t", known=["epyc/onnxruntime/1t", "pi5/onnxruntime/4t"])


def test_a_folder_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


def test_an_unwritable_place_is_one_line(predictor: NetworkPredictor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        predictor.save(tmp_path / "file" / "device.json")
    (tmp_path / "device.json").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        predictor.save(tmp_path / "device.json")
    assert sorted(os.listdir(tmp_path)) == ["device.json", "file"]


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(InputError, match="too large"):
        load(path)
