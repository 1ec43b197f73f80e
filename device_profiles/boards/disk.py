"""Is there room for what a campaign will write? Asked before it starts: a disk that fills up half way wastes hours."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from device_profiles.boards.shipped import Shipped
from device_profiles.errors import DeviceError, InputError
from device_profiles.graphs.weights import declared_bytes
from device_profiles.plan import Plan
from device_profiles.protocol import Protocol

#: Bytes beside its key that a round takes in the journal, a round in the profile, and a result in the profile beside its operators.
_JOURNAL_LINE, _ROUND, _RESULT = 140, 40, 800

#: Things timed in every round beside the plan: the empty call and the canaries.
_BACKGROUND = 3

#: Kept free beyond the estimate.
_SPARE = 4 << 20


def check_before_planning(models: Sequence[Shipped]) -> None:
    """Planning writes the optimised model of one network at a time into the temporary folder. Raises DeviceError when it does not fit."""
    largest = max((len(model.model) + declared_bytes(model.model) for model in models), default=0)
    folder = Path(tempfile.gettempdir())
    _check(int(1.5 * largest), folder, "the temporary folder")


def check_before_measuring(plan: Plan, settings: Protocol, budget_s: float | None, out: Path) -> str:
    """Room for the profile and its journal; returns the estimate in words. Raises DeviceError when they do not fit.

    The estimate is what the most rounds would take, or as many as fit into the budget.
    """
    keys = [len(op.key) for op in plan.operators] + [len(network.name) + 10 for network in plan.networks]
    rounds = settings.max_rounds * (len(keys) + _BACKGROUND) + settings.prelude_rounds * _BACKGROUND
    if budget_s is not None:
        rounds = min(rounds, int(budget_s * 1e3 / settings.block_ms))
    described = sum(len(json.dumps(op.to_json())) for op in plan.operators)
    described += sum(len(json.dumps(op.to_json())) for network in plan.networks for op, _ in network.executed.counts())
    wanted = int(rounds * (sum(keys) / len(keys) + _JOURNAL_LINE + _ROUND) + described + _RESULT * len(keys))
    folder = next(path for path in out.resolve().parents if path.is_dir())
    free = _check(wanted, folder, str(folder))
    return f"this will write at most {wanted / 1e6:.1f} MB to {folder} ({free / 1e6:.0f} MB are free)"


def _check(wanted: int, folder: Path, name: str) -> int:
    """Free bytes in the folder. Raises DeviceError when they are fewer than wanted."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"{folder}: cannot be used: {error.strerror or error}") from error
    if free < wanted + _SPARE:
        raise DeviceError(
            f"the disk is too full: {(wanted + _SPARE) / 1e6:.1f} MB are needed in {name}, {free / 1e6:.1f} MB are free; make room first"
        )
    return free
