"""`device.json`: a fitted predictor as readable JSON, with what it was made from and a checksum."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from device_profiles.errors import InputError, unknown
from device_profiles.library import library_profiles
from device_profiles.operators import Operator
from device_profiles.quantity import Quantity
from predictors.boosted import BoostedTrees
from predictors.device_energy import DeviceEnergy
from predictors.features import FEATURES
from predictors.head import Doubt, ResidualHead
from predictors.lookup import LookupTable
from predictors.network import NetworkPredictor
from predictors.power import PowerModel
from predictors.pricing import OperatorPricer
from predictors.roofline import Roofline

TYPE, SCHEMA = "hwnas-device", 4

#: A larger file is no device.json: thousands of operators need a few megabytes.
MAX_BYTES = 256 << 20

#: How the first line of a profile begins.
_PROFILE = re.compile(r'\{\s*"type"\s*:\s*"header"')


def save(predictor: NetworkPredictor, path: str | os.PathLike[str]) -> None:
    """Writes a fitted predictor, whole or not at all. Raises InputError when the file cannot be written."""
    target = Path(path)
    content = _content(predictor)
    text = _readable({"type": TYPE, "schema": SCHEMA, "checksum": checksum(content), **content})
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error
    predictor.path_ = target.resolve()


def load(path: str | os.PathLike[str], known: Iterable[str] = ()) -> NetworkPredictor:
    """Reads a `device.json`; it prices exactly as the predictor that was saved. A name of the library, where there is no such file, gives
    the predictor of that device.

    `known` are further names that could have been meant where `path` is no file. Raises InputError, in one line, for a file that is
    missing, truncated, of another type, of a newer schema or changed by hand.
    """
    source = Path(path)
    if not source.exists() and source.suffix != ".json":
        shipped = library_profiles()
        if str(path) in shipped:
            from predictors.shipped import load_shipped

            return load_shipped(str(path))
        names = [*known, *shipped]
        if names:
            raise unknown("device", str(path), names)
    data = _read(source)
    content = {name: value for name, value in data.items() if name not in ("type", "schema", "checksum")}
    if data.get("checksum") != checksum(content):
        raise InputError(
            f"{source}: the content does not match its checksum: the file was changed or damaged; make it again with `hwnas fit`"
        )
    if content.get("features") != list(FEATURES):
        raise InputError(f"{source}: made by a version of hwnas that describes operators differently; make it again with `hwnas fit`")
    try:
        predictor = _predictor(content)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{source}: not a complete device.json ({type(error).__name__}: {str(error)[:80]})") from error
    predictor.path_ = source.resolve()
    return predictor


def checksum(content: dict[str, Any]) -> str:
    """SHA-256 of the content in a form that spacing and the order of names do not change."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read(source: Path) -> dict[str, Any]:
    try:
        if source.is_file() and source.stat().st_size > MAX_BYTES:
            raise InputError(f"{source}: {source.stat().st_size / 1e6:.0f} MB is too large for a device.json")
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{source}: cannot be read: {error.strerror or error}; make one with `hwnas fit PROFILE.jsonl --out {source.name}`"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not a device.json: it is no text") from error
    if _PROFILE.match(text):
        raise InputError(f"{source}: this is a profile, not a device.json: run `hwnas fit` on it first")
    try:
        data = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is cut short or damaged" if text.lstrip()[:1] == "{" else "it is no JSON object"
        raise InputError(f"{source}: not a device.json: {reason}") from error
    if not isinstance(data, dict) or data.get("type") != TYPE:
        kind = data.get("type") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{source}: not a device.json: its type is {kind!r}, not {TYPE!r}")
    schema = data.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise InputError(f"{source}: schema {schema!r} is newer than this program reads ({SCHEMA}); upgrade hwnas")
    if schema < SCHEMA:
        raise InputError(f"{source}: schema {schema} is older than this program reads ({SCHEMA}); make it again with `hwnas fit`")
    return data


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _content(predictor: NetworkPredictor) -> dict[str, Any]:
    pricer = predictor.pricer_
    return {
        "device_name": predictor.device_name_,
        **predictor.origin_,
        "versions": _versions(),
        "head": predictor.head_.to_json(),
        "doubt": predictor.doubt_.to_json(),
        "choice": pricer.choice_,
        "widths": pricer.widths_,
        "failed": sorted(pricer.failed_),
        "roofline": pricer.roofline_.to_json(),
        "lookup": pricer.lookup_.to_json(),
        "features": list(FEATURES),
        "operators": [{"operator": op.to_json(), "latency_ms": pricer.measured_[op.key].to_json()} for op in pricer.operators_],
        "energy": None if predictor.energy_ is None else predictor.energy_.power.to_json(),
        "trees": None if pricer.trees_ is None else pricer.trees_.to_json(),
    }


def _predictor(content: dict[str, Any]) -> NetworkPredictor:
    pricer = OperatorPricer()
    operators = [Operator.from_json(entry["operator"]) for entry in content["operators"]]
    latencies = [Quantity.from_json(entry["latency_ms"]) for entry in content["operators"]]
    pricer.restore(operators, latencies, [str(key) for key in content["failed"]])
    X, y, spread = pricer.data()
    pricer.roofline_ = Roofline.from_json(content["roofline"])
    pricer.lookup_ = LookupTable.from_json(content["lookup"], pricer.roofline_, X, y, spread)
    pricer.trees_ = None if content["trees"] is None else BoostedTrees.from_json(content["trees"], pricer.roofline_)
    pricer.choice_ = {str(name): str(source) for name, source in content["choice"].items()}
    pricer.widths_ = {str(name): float(width) for name, width in content["widths"].items()}
    predictor = NetworkPredictor()
    predictor.pricer_ = pricer
    predictor.head_, predictor.doubt_ = ResidualHead.from_json(content["head"]), Doubt.from_json(content["doubt"])
    if content.get("energy") is not None:
        predictor.energy_ = DeviceEnergy(PowerModel.from_json(content["energy"]), predictor.head_)
    predictor.device_name_ = str(content["device_name"])
    predictor.origin_ = {name: dict(content[name]) for name in ("device", "runtime", "protocol", "profile")}
    return predictor


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("hwnas", "numpy", "scikit-learn", "xgboost-cpu", "xgboost"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _readable(data: dict[str, Any]) -> str:
    """JSON that a person can page through: objects over lines, lists of objects one per line, trees on one line."""
    lines = []
    for name, value in data.items():
        if name == "trees":
            text = json.dumps(value, separators=(",", ":"))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n]"
        elif isinstance(value, dict) and name not in ("choice", "lookup"):
            text = json.dumps(value, indent=1).replace("\n", "\n ")
        else:
            text = json.dumps(value)
        lines.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
