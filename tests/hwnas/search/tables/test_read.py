"""Reading tables: CSV, plain npz, the published layouts; wrong files end in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.search.tables import TableSpace, read_table

DATA = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[5] / "shared" / "data"))
CSV = "width,kernel,accuracy,latency_ms\n8,k3,0.7,1.5\n16,k3,0.8,2.5\n8,k5,0.75,\n8,k3,0.72,1.7\n"


def written(folder, text, name="table.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_csv_columns_are_choices_or_numbers_by_name(tmp_path):
    table = read_table(written(tmp_path, CSV))
    assert [(c.name, c.values) for c in table.choices] == [("width", (8, 16)), ("kernel", ("k3", "k5"))]
    np.testing.assert_array_equal(table.archs, [[0, 0], [0, 1], [1, 0]])
    np.testing.assert_allclose(table.column("accuracy"), [0.71, 0.75, 0.8])  # a row that occurs twice becomes its mean
    np.testing.assert_allclose(table.column("latency_ms"), [1.6, np.nan, 2.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name every column once"),
        ("a,a\n1,2\n", "must name every column once"),
        ("a,accuracy\n", "has no rows"),
        ("a,accuracy\n1,0.5\n2\n", "line 3: 1 fields, but the header names 2"),
        ("a,accuracy\n1,high\n", "line 2: accuracy is not a number: 'high'"),
        ("a,b\n1,2\n", "table.csv holds no numbers"),
        ("accuracy,latency_ms\n1,2\n", "holds no choices"),
        ("a,accuracy\n1,93.5\n", "must be a share between 0 and 1, got 93.5"),
    ],
)
def test_wrong_csv_files_end_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_table(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_npz_with_names_of_choices(tmp_path):
    np.savez(tmp_path / "t.npz", archs=[[1, 3], [2, 3]], choices=["depth", "kernel"], energy_mj=[1.0, 2.0], notes=["a", "b"])
    table = read_table(tmp_path / "t.npz")
    assert [c.name for c in table.choices] == ["depth", "kernel"]
    assert table.columns.keys() == {"energy_mj"}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [1]}, "holds x; a table needs archs, choices; or"),
        ({"archs": [[1], [2]], "choices": ["a", "b"], "macs": [1, 2]}, r"must have shape \(n, 2\)"),
        ({"archs": [[1], [2]], "choices": ["a"], "macs": [1]}, "column macs has 1 rows, not 2"),
        ({"archs": [[1], [2]], "choices": ["a"], "macs": ["x", "y"]}, "do not fit together"),
        ({"ops": ["a"], "arch_ops": [[0], [3]], "latency_ms": [[1.0], [2.0]], "devices": ["d"]}, "do not fit together"),
    ],
)
def test_wrong_npz_files_end_in_one_line(tmp_path, arrays, message):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "t.npz")


def test_pickles_other_files_and_missing_ones_are_refused(tmp_path):
    np.savez(tmp_path / "t.npz", archs=np.array([{}, {}], dtype=object))
    for name, message in (
        ("t.npz", "not an .npz file of plain arrays"),
        ("none.csv", "No such file"),
        ("t.json", "an .npz or a .csv file"),
    ):
        with pytest.raises(InputError, match=message):
            read_table(tmp_path / name)
    written(tmp_path, "not a zip", "bad.npz")
    with pytest.raises(InputError, match=r"not an \.npz file"):
        read_table(tmp_path / "bad.npz")


def recorded(name):
    if not (DATA / name).exists():
        pytest.skip(f"recorded table {name} is not here")
    return read_table(DATA / name)


def test_the_nas_bench_201_table():
    table = recorded("nb201/nb201.npz")
    space = TableSpace(table)
    assert len(table) == space.size == 15_625
    assert space.complete
    assert table.column("accuracy", "cifar10").max() == pytest.approx(0.94373, abs=1e-5)
    assert len(table.columns["latency_ms"]) == 13
    assert table.cell is not None
    with pytest.raises(InputError, match=r"latency_ms of nb201 was recorded for .*pixel3.*: name one of them"):
        table.column("latency_ms")
    with pytest.raises(InputError, match="did you mean 'pixel3'"):
        table.column("latency_ms", "pixel_3")


def test_the_fbnet_table():
    table = recorded("fbnet/fbnet.npz")
    assert len(table) == 5000
    assert table.archs.shape[1] == 22
    assert not TableSpace(table).complete


def test_the_once_for_all_table():
    table = recorded("ofa/ofa_mbv3_w10_acc.npz")
    space = TableSpace(table)
    assert table.archs.shape[1] == 45
    np.testing.assert_array_equal(space.canonical(table.archs), table.archs)
    inactive = ~space.active(table.archs)
    assert inactive.any()
    assert (table.archs[inactive] == 0).all()
    assert table.column("accuracy").max() == pytest.approx(0.7747, abs=1e-4)
