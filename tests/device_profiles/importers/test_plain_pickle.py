from __future__ import annotations

import os
import pickle
import subprocess
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.errors import InputError
from device_profiles.importers import plain_pickle
from device_profiles.importers.plain_pickle import read_plain_pickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.integers(-5, 500), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
        | st.just(())
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_is_read_as_the_standard_library_reads_it(value: Any, protocol: int) -> None:
    assert read_plain_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(5))  # arrays are written in another way since protocol 5
def test_what_tables_hold_besides(protocol: int) -> None:
    shared = [1.5]
    value = {
        "ordered": OrderedDict(a=1, b=2), "number": np.float64(3.25), "small": np.float32(0.5), "whole": np.int64(-7),
        "array": np.array([1.0, 2.5]), "empty": np.array([], np.float32), "twice": [shared, shared],
    }  # fmt: skip
    found = read_plain_pickle(pickle.dumps(value, protocol))
    wanted = {
        "ordered": {"a": 1, "b": 2}, "number": 3.25, "small": 0.5, "whole": -7, "array": [1.0, 2.5], "empty": [], "twice": [[1.5], [1.5]],
    }  # fmt: skip
    assert found == wanted
    assert type(found["number"]) is float


class Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


@pytest.mark.parametrize(
    "content",
    [
        Call(os.system, "touch /tmp/hwnas-was-here"),
        Call(eval, "1 + 1"),
        Call(getattr, [], "append"),
        Call(subprocess.Popen, ["true"]),
        [Call(__import__, "os")],
        {"nasbench201": Call(np.load, "x.npy", None, True)},
        Call(np.zeros, 10**12),
        np.zeros((2, 2)),
        np.array(["a"], dtype=object),
        np.datetime64("2020-01-01"),
        {1.5: 2},
        {(1,): 2},
        {1, 2},
        os.getcwd,
        1 + 2j,
    ],
    ids=lambda content: type(content).__name__,
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_refused_and_nothing_is_called(content: Any, protocol: int, tmp_path: Any) -> None:
    with pytest.raises(InputError, match="not a plain pickle") as caught:
        read_plain_pickle(pickle.dumps(content, protocol))
    assert "\n" not in str(caught.value)
    assert not os.path.exists("/tmp/hwnas-was-here")


@pytest.mark.parametrize(
    "data",
    [
        b"", b".", b"not a pickle", b"\x80\x04", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x80\x04r\xff\xff\xff\x7f.",
        b"]0]0a.", b"\x80\x04}(K\x01u.", b"\x80\x04\x85.", b"\x80\x04]\x94h\x05.", b"I" + b"9" * 10_000 + b"\n.", b"\x80\x04" + b"]" * 50,
        b"\x80\x04K\x01K\x02a.", b"\x80\x04]K\x01b.", b"\x80\x04\x82\x01.", b"\x80\x04P1\n.",
    ],
    ids=repr,
)  # fmt: skip
def test_damaged_pickles(data: bytes) -> None:
    with pytest.raises(InputError, match="not a plain pickle"):
        read_plain_pickle(data)


def test_deep_nesting_and_endless_files(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = b"\x80\x04" + b"]" + b"\x85" * 100_000 + b"."
    found = read_plain_pickle(deep)
    for _ in range(100_000):
        (found,) = found
    assert found == []
    monkeypatch.setattr(plain_pickle, "MAX_OPCODES", 100)
    with pytest.raises(InputError, match="more than 100 steps"):
        read_plain_pickle(b"\x80\x04" + b"]" * 200 + b".")


SAMPLE = pickle.dumps({"nasbench201": {"cifar10": {"pi_latency": [1.0, np.float64(2.0)], "config": [{"C": 16}]}}})


@settings(max_examples=300)
@given(st.data())
def test_corrupted_pickles_give_one_line_or_plain_data(data: st.DataObject) -> None:
    content = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_plain_pickle(bytes(content[: data.draw(st.integers(1, len(content)))]))
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert isinstance(found, dict | list | tuple | str | bytes | int | float | None | plain_pickle._Dtype)
