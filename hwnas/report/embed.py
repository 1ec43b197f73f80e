"""Putting data and scripts into HTML so that no text can become markup, and no script but ours can run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

#: Characters that could end a script element, open a comment or break a line in JavaScript, written as JSON escapes.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_UNSAFE = re.compile("|".join(ESCAPES))


def safe_json(value: Any) -> str:
    """JSON that may stand inside a script element: the same value, without any character that HTML could take for markup."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: ESCAPES[match[0]], text).encode("utf-8", "replace").decode("utf-8")


def _finite(value: Any) -> Any:
    """NaN and infinities as null, which plotly.js draws as a gap; floats rounded to what a screen can show."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def safe_script(source: str) -> str:
    """A script that may stand inside a script element; line ends as the browser will read them, so that its hash holds."""
    text = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    # "<\/script" means the same inside a string or a regular expression, the only places where a valid script has it.
    return re.sub(r"<(?=/script|!--)", lambda m: "\\x3C" if m.string[m.end()] == "!" else "<\\", text, flags=re.IGNORECASE)


def policy(scripts: Iterable[str]) -> str:
    """A content security policy: nothing is fetched from anywhere, and only these scripts run (by their hashes)."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    # Plotly writes style elements and saves pictures through data and blob addresses.
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
