"""Where the numbers come from: the spec of a run as labelled texts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hwnas.devices import WORST, by_device
from hwnas.report.formats import count, listed
from hwnas.search.budget import limits

Group = tuple[str, list[tuple[str, str]]]

#: Titles of the groups, by key of the spec, in the order of the page; other keys follow under "Other".
GROUPS = {
    "device": "Device", "devices": "Devices", "data": "Data", "space": "Search space", "supernet": "Super-network", "training": "Training",
    "predictor": "Predictor", "versions": "Versions",
}  # fmt: skip
#: The splits of a data set in their natural order.
SPLITS = ("train", "validation", "test")
#: Single values that belong to the search itself.
SEARCH = {
    "algorithm": "Algorithm", "options": "Options", "seed": "Seed", "evaluations": "Evaluations", "budget_s": "Time limit (s)",
    "spent_s": "Time spent (s)", "stopped": "Ended by",
    "objectives": "Objectives", "constraints": "Constraints", "hypervolume_reference": "Hypervolume reference", "command": "Command line",
}  # fmt: skip


def provenance(spec: Mapping[str, Any]) -> list[Group]:
    """The whole spec, grouped; nothing in it is left out, whatever wrote it."""
    groups: list[Group] = [
        (
            "Search",
            [(title, command_line(spec[key]) if key == "command" else compact(spec[key])) for key, title in SEARCH.items() if key in spec],
        )
    ]
    groups += [(title, rows(spec[key])) for key, title in GROUPS.items() if key in spec]
    rest = {key: value for key, value in spec.items() if key not in SEARCH and key not in GROUPS}
    groups.append(("Other", rows(rest)))
    return [group for group in groups if group[1]]


def rows(value: Any, prefix: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """A JSON value as (name, text) rows; names of nested objects are joined by dots, objects in lists are numbered, a row each."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return [(f"{prefix} {i}".strip(), compact(item)) for i, item in enumerate(value, 1)]
    if not isinstance(value, Mapping) or depth > 3:
        return [(prefix or "name", compact(value))]
    found: list[tuple[str, str]] = []
    for key, item in value.items():
        found += rows(item, f"{prefix}.{key}" if prefix else str(key), depth + 1)
    return found


def compact(value: Any) -> str:
    """A JSON value in one readable line."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _record(value) if value else "none"
    if isinstance(value, Sequence):
        return ", ".join(map(compact, value)) if value else "none"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def command_line(value: Any) -> str:
    """A recorded command as a shell takes it: words are joined, and the program is called by its name."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return shlex.join([value[0].rsplit("/", 1)[-1], *value[1:]])
    return value if isinstance(value, str) else ""


def _record(item: Mapping[str, Any]) -> str:
    if {"name", "direction"} <= set(item):
        return f"{item['name']} ({item['direction']})"
    return "; ".join(f"{key} {compact(value)}" for key, value in item.items())


def device_name(spec: Mapping[str, Any]) -> str:
    """The name of the device, whether the spec holds the name alone or a description; of several what they are called in the run."""
    objectives = spec.get("objectives")
    several = [device for device in by_device(objectives if isinstance(objectives, list) else []) if device != WORST]
    several = several or list(spec.get("devices") or {})
    if several:
        return listed(several)
    columns, space = spec.get("columns"), spec.get("space")
    recorded = _name(columns.get("device")) if isinstance(columns, Mapping) else ""
    table = _name(space.get("table")) if isinstance(space, Mapping) else ""
    return _name(spec.get("device")) or recorded or (f"the device of {table}" if table else "an unnamed device")


def facts(spec: Mapping[str, Any], size: int | None) -> list[tuple[str, str]]:
    """What a reader asks first: data, space, search, constraints. What was not recorded is left out."""
    search = [compact(spec.get("algorithm")), limits(spec)]
    search.append(f"seed {spec['seed']}" if "seed" in spec else "")
    found = {
        "Data": _data(spec.get("data")), "Space": _space(spec.get("space"), size),
        "Search": ", ".join(text for text in search if text and text != "–"),
        "Constraints": compact(spec["constraints"]) if spec.get("constraints") else "",
    }  # fmt: skip
    return [(name, text) for name, text in found.items() if text]


def _data(data: Any) -> str:
    """The name of the data and the sizes of its splits."""
    images = data.get("images") if isinstance(data, Mapping) else None
    if not isinstance(images, Mapping):
        return _name(data)
    # JSON written with sorted keys has lost the natural order.
    order = sorted(images.items(), key=lambda item: SPLITS.index(item[0]) if item[0] in SPLITS else len(SPLITS))
    sizes = [f"{size:,} {split}" for split, size in order if isinstance(size, int)]
    return f"{_name(data)}: {', '.join(sizes)} images" if sizes else _name(data)


def _space(space: Any, size: int | None) -> str:
    """The kind of a space, its input and its size."""
    if not isinstance(space, Mapping):
        return _name(space)
    shape = [str(space[key]) for key in ("channels", "resolution", "resolution") if key in space]
    texts = [_name(space) or compact(space.get("kind")), f"input {'×'.join(shape)}" if len(shape) == 3 else ""]
    texts.append(f"{compact(space['classes'])} classes" if "classes" in space else "")
    texts.append("" if size is None else f"{count(size)} architectures")
    return ", ".join(text for text in texts if text)


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("name", "device_name", "source", "path") if value.get(key)), None)
    return value if isinstance(value, str) else ""
