from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import InputError
from device_profiles.importers import table as tables
from device_profiles.importers.lookup import read_fbnet, read_ofa

KEY = "expanded_conv-input:112x112x16-output:56x56x24-expand:6-kernel:3-stride:2-idskip:0"
OFA = {KEY: {"mean": 1.2, "count": 50, "std": 0.1}, "Logits-input:7x7x320-output:1000": {"mean": 0.5, "count": 50, "std": 0.02}}


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_blocks_keep_their_spread_and_their_fields(tmp_path: Path) -> None:
    found = read_ofa(written(tmp_path / "pixel.json", OFA))
    quantity = found.quantity(KEY, "latency_ms")
    assert (quantity.value, quantity.origin) == (1.2, "published")
    assert quantity.high - quantity.value == pytest.approx(1.645 * 0.1)
    assert found.columns["latency_ms"].spread
    assert found.details[0] == {
        "block": "expanded_conv", "input": (112, 112, 16), "output": (56, 56, 24), "expand": 6, "kernel": 3, "stride": 2, "idskip": 0,
        "count": 50,
    }  # fmt: skip
    assert found.details[1]["output"] == 1000
    assert (len(found), found.source) == (2, "pixel.json")


def test_yaml_and_bare_numbers(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    found = read_ofa(written(tmp_path / "pixel.yaml", yaml.safe_dump(OFA)))
    assert found.quantity(KEY, "latency_ms").value == 1.2
    bare = read_ofa(written(tmp_path / "bare.json", {KEY: 1.5}))
    quantity = bare.quantity(KEY, "latency_ms")
    assert (quantity.low, quantity.value, quantity.high) == (1.5, 1.5, 1.5)
    assert not bare.columns["latency_ms"].spread


def test_fbnet_tables_are_in_microseconds(tmp_path: Path) -> None:
    found = read_fbnet(written(tmp_path / "s8.json", {"ir_k3_e6": {"16-112-24-2": 1250.0, "24-56-24-1": 800}, "skip": {"24-56-24-1": 0}}))
    assert found.quantity("ir_k3_e6/16-112-24-2", "latency_ms").value == 1.25
    assert found.quantity("skip/24-56-24-1", "latency_ms").value == 0.0
    assert found.details[0] == {"block": "ir_k3_e6", "shape": "16-112-24-2"}


WRONG: list[tuple[Any, str]] = [
    ("[1, 2]", "no mapping"),
    ("{}", "no entries"),
    ("{", "cannot be read as JSON"),
    ("[" * 100_000, "cannot be read as JSON"),
    ({"Conv": "fast"}, "a number is wanted"),
    ({"Conv": {"average": 1}}, "no 'mean'"),
    ({"Conv": {"mean": -1}}, "not below 0"),
    ('{"Conv": {"mean": NaN}}', "finite"),
    ('{"Conv": {"mean": 1e999}}', "finite"),
    ({"Conv": {"mean": 1, "std": 1}, "Pool": {"mean": 1}}, "some have none"),
    ({"Conv-input": 1}, "no key such as"),
]


@pytest.mark.parametrize(("content", "words"), WRONG, ids=[words for _, words in WRONG])
def test_other_layouts_are_one_line(tmp_path: Path, content: Any, words: str) -> None:
    path = written(tmp_path / "t.json", content)
    with pytest.raises(InputError, match=words) as caught:
        read_ofa(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ['{"a": 1}', '{"a": {"b": "c"}}', '{"a": {"b": -1}}', '{"a": {"b": 1e400}}', "{}", '{"a": {"b": true}}']
)
def test_other_layouts_of_fbnet_are_one_line(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError) as caught:
        read_fbnet(written(tmp_path / "t.json", content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "!!python/object/apply:os.system ['touch hwnas-was-here']",
        "Conv: !!python/name:os.system",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "[" * 3000,
        "\t: bad",
        "2020-01-01: 3",
    ],
)
def test_hostile_yaml_makes_nothing_but_an_error(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read_ofa(written(tmp_path / "t.yaml", content))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "hwnas-was-here").exists()


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_BYTES", 1 << 20)
    path = tmp_path / "t.json"
    with path.open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(InputError, match="more than 1 MB"):
        read_ofa(path)
