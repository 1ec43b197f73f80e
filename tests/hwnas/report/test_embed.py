from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.report.embed import policy, safe_json, safe_script

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=20
)


@given(JSON)
def test_json_comes_back_unchanged_and_cannot_be_markup(value: object) -> None:
    text = safe_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_script_ends_and_comments_cannot_be_spelled() -> None:
    text = safe_json({"</script><script>alert(1)</script>": "<!-- \u2028 ]]>"})
    assert "</" not in text
    assert "<!--" not in text


def test_numbers_that_json_lacks_become_null() -> None:
    assert json.loads(safe_json([float("nan"), float("inf"), 1 / 3])) == [None, None, 0.3333333]


def test_a_lone_surrogate_does_not_stop_the_page() -> None:
    safe_json("\ud800").encode("utf-8")


def test_scripts_keep_their_meaning_but_not_their_end_tags() -> None:
    text = safe_script('a = "</script>"; b = "</SCRIPT>"; c = "<!--";\r\nd = 1 < 2;')
    assert "</script" not in text.lower()
    assert "<!--" not in text
    assert text.endswith("\nd = 1 < 2;")


@pytest.mark.parametrize("source", ["let a = 1;", "let ü = '…';"])
def test_the_policy_allows_exactly_the_scripts_given(source: str) -> None:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    text = policy([source])
    assert f"script-src 'sha256-{digest}';" in text
    assert text.startswith("default-src 'none';")
    assert "unsafe-eval" not in text
