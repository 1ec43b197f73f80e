"""The regret of multi-agent search on a recorded table: cumulative for MANAS, simple for MANAS-LS, uniform draws beside both.

    HWNAS_DATA=... python benchmarks/manas_regret.py [--rounds 100000] [--ls-rounds 10000] [--seeds 10] [--dataset cifar10]

One agent per edge of NAS-Bench-201; a round draws a cell from the agents, and its loss, the recorded error, teaches them. Two cumulative
regrets, medians over the seeds: against the best cell of the table, and what one agent could have saved with its best single value while
the others drew what they drew, the mean over the agents; the second is what theory bounds, by 2 sqrt(T K ln K). A picture on logarithmic
axes with the line of sqrt(T) lies beside the numbers. Simple regret: how much worse than the best cell is the one recommended after so many
rounds, the most probable value of every agent; for uniform draws, the best one drawn. Nothing is timed.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from common import RESULTS, save, table
from common_nb201 import recorded

from hwnas.agents import LinearCredit, add_by_importance, boltzmann, chances, draw, legal_values, uniform
from hwnas.search.manas import anytime_temperature
from hwnas.search.tables import TableSpace, read_table


class World:
    """The recorded error of every cell, in the order of its values."""

    def __init__(self, space: TableSpace, dataset: str) -> None:
        self.sizes = space.cardinalities
        self.legal = legal_values(self.sizes)
        self.losses = np.empty(tuple(self.sizes.tolist()))
        self.losses[tuple(space.table.archs.T)] = 1.0 - space.table.column("accuracy", dataset)
        self.best = float(np.nanmin(self.losses))

    def otherwise(self, arch: np.ndarray) -> np.ndarray:
        """The loss of every value of every agent while the others stay, `(n_choices, values)`."""
        return np.stack([self.losses[tuple(arch[:i])][(slice(None), *arch[i + 1 :])] for i in range(len(arch))])


def play(world: World, rounds: int, seed: int, learning: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative regret after each round against the best cell, and of the agents against their best values, `(rounds,)` each."""
    rng = np.random.Generator(np.random.PCG64(seed))
    sums, would = np.zeros((1, *world.legal.shape)), np.zeros(world.legal.shape)
    everybody = np.ones((1, len(world.sizes)), dtype=bool)
    total, regret, own = 0.0, np.empty(rounds), np.empty(rounds)
    policy = uniform(world.legal)
    for t in range(rounds):
        if learning:
            policy = boltzmann(anytime_temperature(world.sizes, t)[:, None] * sums[0], world.legal)
        drawn = draw(policy, world.sizes, rng)
        loss = float(world.losses[tuple(drawn)])
        if learning:
            add_by_importance(sums, drawn[None], everybody, chances(policy, drawn)[None], np.array([[loss]]))
        would += world.otherwise(drawn)
        total += loss
        regret[t], own[t] = total - (t + 1) * world.best, total - would.min(axis=1).mean()
    return regret, own


def recommended(world: World, rounds: int, seed: int, stages: list[int]) -> list[float]:
    """Simple regret of MANAS-LS after so many rounds."""
    rng, credit, found = np.random.Generator(np.random.PCG64(seed)), LinearCredit(), []
    everybody, centre = np.ones((1, len(world.sizes)), dtype=bool), 0.0
    for t in range(1, rounds + 1):
        drawn = draw(credit.policy(world.legal, np.ones((1, 1))), world.sizes, rng)
        loss = float(world.losses[tuple(drawn[0])])
        centre = loss if t == 1 else centre  # losses are compared with the first; the ranks do not depend on it
        credit.add(world.legal, drawn, everybody, np.array([[loss - centre]]))
        if t in stages:
            best = credit.policy(world.legal, np.ones((1, 1)))[0].argmax(axis=1)
            found.append(float(world.losses[tuple(best)]) - world.best)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--ls-rounds", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--dataset", default="cifar10")
    arguments = parser.parse_args()
    world = World(TableSpace(read_table(recorded("nb201", "nb201.npz"))), arguments.dataset)
    seeds = range(arguments.seeds)
    played = {name: np.array([play(world, arguments.rounds, s, name == "manas") for s in seeds]) for name in ("manas", "uniform")}
    rows = cumulative(world, played, decades(arguments.rounds))
    print(table(rows))
    slopes = {name: growth(values) for name, values in {
        "manas, best cell": np.median(played["manas"][:, 0], axis=0), "manas, own best values": np.median(played["manas"][:, 1], axis=0),
        "uniform, best cell": np.median(played["uniform"][:, 0], axis=0),
    }.items()}  # fmt: skip
    print("exponent of T over the last decade:", ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items()))
    simple = simple_regret(world, arguments.ls_rounds, seeds)
    print(table(simple))
    save("manas_regret", {
        "dataset": arguments.dataset, "seeds": arguments.seeds, "cumulative": rows, "exponents": slopes, "simple": simple,
    })  # fmt: skip
    (RESULTS / "manas_regret.svg").write_text(picture(rows), encoding="utf-8")


def decades(rounds: int) -> list[int]:
    """10, 20, 50, 100, ... up to the number of rounds."""
    return [n for n in sorted(factor * 10**power for power in range(1, 8) for factor in (1, 2, 5)) if n <= rounds]


def cumulative(world: World, played: dict[str, np.ndarray], stages: list[int]) -> list[dict[str, Any]]:
    rows = []
    values = world.legal.shape[1]
    for t in stages:
        low, middle, high = np.quantile(played["manas"][:, 0, t - 1], [0.25, 0.5, 0.75])
        rows.append({
            "T": t, "manas": float(middle), "manas 25 %": float(low), "manas 75 %": float(high),
            "uniform": float(np.median(played["uniform"][:, 0, t - 1])), "manas, own": float(np.median(played["manas"][:, 1, t - 1])),
            "uniform, own": float(np.median(played["uniform"][:, 1, t - 1])),
            "bound of own": 2 * float(np.sqrt(t * values * np.log(values))),
        })  # fmt: skip
    return rows


def growth(regret: np.ndarray) -> float:
    """The exponent of T between a tenth of the rounds and all of them."""
    return float(np.log10(regret[-1] / regret[len(regret) // 10 - 1]))


def simple_regret(world: World, rounds: int, seeds: range) -> list[dict[str, Any]]:
    """Points of accuracy below the best cell."""
    stages = decades(rounds)
    found = np.array([recommended(world, rounds, seed, stages) for seed in seeds])
    drawn = np.random.Generator(np.random.PCG64(0)).integers(0, world.sizes, (len(seeds), rounds, len(world.sizes)))
    best = np.minimum.accumulate(world.losses[tuple(np.moveaxis(drawn, -1, 0))], axis=1) - world.best
    return [
        {"rounds": t, "manas_ls, points": 100 * float(np.median(found[:, i])), "worst seed": 100 * float(found[:, i].max()),
         "best of uniform": 100 * float(np.median(best[:, t - 1]))}
        for i, t in enumerate(stages)
    ]  # fmt: skip


def picture(rows: list[dict[str, Any]]) -> str:
    """Regret against the best cell on logarithmic axes, with the line of sqrt(T) through the first point."""
    lines = {"manas": "#2563eb", "manas, own": "#059669", "uniform": "#dc2626", "sqrt(T)": "#57534e"}
    t = np.log10([row["T"] for row in rows])
    curves = {name: np.log10([max(row[name], 1e-3) for row in rows]) for name in lines if name != "sqrt(T)"}
    curves["sqrt(T)"] = curves["manas"][0] + 0.5 * (t - t[0])
    low, high = min(c.min() for c in curves.values()), max(c.max() for c in curves.values())
    across = 60 + 560 * (t - t[0]) / (t[-1] - t[0])
    down = {name: 340 - 310 * (c - low) / (high - low) for name, c in curves.items()}
    head = 'viewBox="0 0 720 390" font-family="sans-serif" font-size="13"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {head}><rect width="720" height="390" fill="#fff"/>']
    powers = {10**power for power in range(9)}
    for x, row in zip(across, rows, strict=True):
        if row["T"] in powers:
            parts.append(f'<text x="{x:.0f}" y="360" text-anchor="middle">{row["T"]}</text>')
    for power in range(int(np.ceil(low)), int(high) + 1):
        y = 340 - 310 * (power - low) / (high - low)
        parts.append(f'<path d="M60 {y:.1f}H620" stroke="#ddd"/><text x="52" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for name, colour in lines.items():
        path = " ".join(f"L{x:.1f} {y:.1f}" for x, y in zip(across, down[name], strict=True))
        dashes = ' stroke-dasharray="5 4"' if name == "sqrt(T)" else ""
        parts.append(f'<path d="M{path[1:]}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts.append(f'<text x="626" y="{down[name][-1] + 4:.1f}" fill="{colour}">{name}</text>')
    return "".join([*parts, '<text x="340" y="382" text-anchor="middle">rounds T; cumulative regret, medians</text></svg>\n'])


if __name__ == "__main__":
    main()
