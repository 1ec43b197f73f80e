"""`check`: does a profile still hold here?"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from device_profiles.errors import InputError
from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, say, seconds

if TYPE_CHECKING:
    from device_profiles.check import Check
    from device_profiles.profile import DeviceProfile

#: Seconds after which a runtime that does not answer is taken for hung: a check shall end within its budget.
_ANSWER_S = 15.0


def check(
    profile: Annotated[Path, typer.Argument(help="A profile that `hwnas profile` made on this device.")],
    budget: Annotated[str, typer.Option(help="Time for the check, such as 30s.")] = "60s",
    json: Json = False,
) -> None:
    """Say within a minute whether a profile still holds here (exit status 1 when it does not, or cannot be told)."""
    from device_profiles.check import check as measure_again
    from device_profiles.errors import unknown
    from device_profiles.profile import DeviceProfile
    from device_profiles.runtimes import RUNTIMES, RuntimeProcess

    known = DeviceProfile.read(profile)
    name, threads = known.header["runtime"].get("name"), known.header["runtime"].get("threads")
    if name not in RUNTIMES:
        raise unknown("runtime", str(name)[:40], RUNTIMES)
    if type(threads) is not int or not 1 <= threads <= 1024:
        raise InputError(f"{profile}: its header gives the runtime {str(threads)[:20]!r} threads, which is no number of threads")
    budget_s = seconds(budget) or 60.0
    with bar("measuring again") as update, RuntimeProcess(name, threads, timeout_s=min(_ANSWER_S, budget_s)) as process:
        found = measure_again(profile, process, budget_s, progress=update)
    again = None if found.verdict == "holds" else again_command(known, profile)
    if json:
        emit({"profile": str(profile), **found.to_json(), "to_measure_again": found.to_measure_again, "command": again})
    else:
        say(check_text(found))
        if found.verdict == "changed":
            say(f"to measure again: {again}")
    if found.verdict != "holds":
        raise typer.Exit(1)


def check_text(found: Check) -> str:
    """The result in a few lines for a terminal."""
    from device_profiles.check import percent

    lines = [f"{found.device}: {found.verdict}"]
    lines += [f"  {text}" for text in (*found.differences, *found.reasons)]
    lines.append("  time now of time then, with 90 % intervals:")
    width = max(len("what is left"), *(len(kind.kind) for kind in found.kinds))
    lines.append(f"    {'all':{width}}  {percent(found.ratio)}")
    if found.canaries is not None:
        lines.append(f"    {'canaries':{width}}  {percent(found.canaries)}   the device as a whole: clock, heat, neighbours")
        lines.append(f"    {'what is left':{width}}  {percent(found.left)}   kernels: another version or build of the runtime")
    for kind in found.kinds:
        lines.append(f"    {kind.kind:{width}}  {percent(kind.ratio)}   {kind.share:.1%} of the time, {kind.operators} timed again")
    return "\n".join(lines + advice(found))


def advice(found: Check) -> list[str]:
    """What to do about a verdict."""
    if found.verdict != "changed":
        return []
    if found.to_measure_again:
        return [f"  changed beyond what the device as a whole explains: {', '.join(found.to_measure_again)}"]
    if found.canaries is not None and abs(found.canaries.value - 1) > abs(found.left.value - 1):
        pace = "slower" if found.canaries.value > 1 else "faster"
        return [
            f"  the device as a whole runs {pace}: look for heat, its clock and other programs, then check again before measuring again"
        ]
    return []


def again_command(profile: DeviceProfile, path: Path) -> str:
    """The command that measures the same things into a new file, as far as the names of the networks tell what was measured."""
    from hwnas.spaces import SPACES

    runtime = profile.header["runtime"]
    kinds = {network.name.split("/")[0] for network in profile.networks()}
    spaces = [space for space in SPACES if {space, space.partition("-")[0]} & kinds]
    shapes = {network.name.rpartition("/")[2] for network in profile.networks()}
    what = ["--onnx", "EACH_FILE_THAT_WAS_MEASURED.onnx"]
    if len(kinds) == len(spaces) == len(shapes) == 1 and (size := re.fullmatch(r"(\d+)x(\d+)x\d+", next(iter(shapes)))):
        what = ["--space", spaces[0], "--channels", size[1], "--resolution", size[2]]
    to = path.with_name(f"{path.name.split('.jsonl')[0]}.new.jsonl")
    options = ["--runtime", str(runtime["name"]), "--threads", str(runtime["threads"]), "--out", str(to)]
    return shlex.join(["hwnas", "profile", *what, *options])
