"""The journal of a campaign: the rounds of items that are not finished, so that a campaign that was killed measures nothing twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from device_profiles.append import Appender
from device_profiles.errors import InputError
from device_profiles.items import Item


def entry(item: Item) -> dict[str, Any]:
    """The line of an item's last round."""
    return {"key": item.key, "copies": item.copies, "round": item.numbers[-1], "ms": item.rounds[-1]}


def replay(journal: Appender, items: Mapping[str, Item]) -> None:
    """Gives the items, by their keys, the rounds that an interrupted session had timed. Raises InputError for a line that is no round."""
    for number, text in enumerate(journal.lines, 1):
        try:
            line = json.loads(text)
            item, copies = items.get(line["key"]), int(line["copies"])
            block, round_ = [float(v) for v in line["ms"]], int(line["round"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{journal.path}, line {number}: no round of a campaign; remove the file to time them again") from error
        if item is not None and item.copies == copies:
            item.rounds.append(block)
            item.numbers.append(round_)
