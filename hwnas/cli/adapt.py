"""`transfer`: from the predictor of one device to that of another, or of another version of its runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from device_profiles.errors import InputError
from hwnas.cli.listing import Json
from hwnas.cli.show import bar, emit, need, say, seconds

if TYPE_CHECKING:
    from predictors import NetworkPredictor


def transfer(
    device: Annotated[Path, typer.Argument(help="A predictor that `hwnas fit` made for another device or version of the runtime.")],
    profile: Annotated[Path, typer.Argument(help="A profile of the new device; a few measurements are enough.")],
    out: Annotated[Path, typer.Option(help="The predictor of the new device, JSON.")],
    measure: Annotated[
        int | None, typer.Option(min=1, help="First measure here, into PROFILE, so many operators: those that say the most.")
    ] = None,
    budget: Annotated[str, typer.Option(help="Time for --measure, such as 60s.")] = "60s",
    json: Json = False,
) -> None:
    """Make the predictor of a new device from that of an old one and a few measurements."""
    need("sklearn", "xgboost", extra="predict")
    import predictors
    from device_profiles.profile import DeviceProfile
    from predictors.device_transfer import family_ratios
    from predictors.device_transfer import transfer as adapted

    old = predictors.load(device)
    if measure is not None:
        _measure(old, measure, profile, seconds(budget))
    small = DeviceProfile.read(profile)
    new = adapted(old, small)
    new.save(out)
    ratios = family_ratios(old, new)
    counts = {"operators": len(small.operators()), "networks": len(small.networks())}
    if json:
        emit({"device": str(out), "name": new.device_name_, "from": old.device_name_, **counts, "ratios": ratios})
        return
    say(f"{new.device_name_} from {old.device_name_} and {counts['operators']} operators, {counts['networks']} networks measured")
    say("time on the new device of time on the old one, by family of operators:")
    width = max(map(len, ratios))
    for name, ratio in ratios.items():
        say(f"  {name:{width}}  {ratio:.1%}")
    say(f"saved to {out}")


def _measure(old: NetworkPredictor, count: int, out: Path, budget_s: float | None) -> None:
    """Times the operators that say the most about a new device, by the runtime and the number of threads of the old one."""
    from device_profiles.operators import Operator
    from device_profiles.plan import Plan
    from device_profiles.runtimes import RUNTIMES, RuntimeProcess
    from hwnas import profiling
    from predictors.device_transfer import next_items

    name, threads = str(old.origin_["runtime"].get("name")), old.origin_["runtime"].get("threads")
    if name not in RUNTIMES or type(threads) is not int:
        raise InputError(
            f"{old.device_name_} was measured by {name[:40]}, which is no runtime that can be measured here; leave out --measure"
        )
    chosen = next_items(old, count)
    plan = Plan(tuple(item for item in chosen if isinstance(item, Operator)), ())
    with bar("measuring") as update, RuntimeProcess(name, threads) as process:
        profiling.profile(plan, out, process, budget_s=budget_s, progress=update)
