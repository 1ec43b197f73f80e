"""Few-shot transfer to a new device on recorded tables (NAS-Bench-201 and FBNet): every device in turn is the new one.

    python benchmarks/transfer.py --data DIR     (DIR holds nb201/nb201.npz and fbnet/fbnet.npz; default $HWNAS_DATA, else ../shared/data)

All methods get the same: what the other devices cost by a linear model of the operators of the networks, fitted on the whole tables of
those devices, and 10 or 20 measurements of the new device. "random" draws them (ten seeds), "chosen" are those of `Transfer.next`, which
sees no measurement. The baseline is low rank and ridge: principal components of the log costs on the other devices, ridge regression on
them; its rank and penalty are the best in hindsight. "no kin" leaves out the devices whose costs go along with those of the new one.
Isomorphic copies of what was measured are not judged; cells that compile away on a phone are left out. "fitted on all" is the same
linear model fitted on the whole table of the new device: what such features can reach. "repeat ceiling" compares isomorphic cells of
NAS-Bench-201 that also have the same operators, dead ones included, so that they execute the same; FBNet has no network twice. Nothing is
timed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from common import save, table

from predictors import Transfer
from predictors.evaluation import METRICS, metrics
from predictors.low_rank import spread_apart

Array = npt.NDArray[np.float64]
Method = Callable[[Array, npt.NDArray[np.intp], Array], tuple[Array, ...]]

SEEDS, COUNTS = 10, (10, 20)

#: Spearman at 10 measured networks, quoted for HELP on unseen devices of its own; it was not run here, and the devices are not the same.
PUBLISHED = {"nb201": 0.932, "fbnet": 0.910, "source": "Lee et al., HELP, NeurIPS 2021, arXiv 2106.08630"}

#: Edges of a cell of NAS-Bench-201, in the order of its operators.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


@dataclass(frozen=True)
class Table:
    """`latency_ms` `(n, d)`, `features` `(n, f)`, `copies` `(n,)` (equal for isomorphic networks), `numbers` of operators `(n, o)`, and the
    predicted latencies `(n, d)`."""

    name: str
    devices: list[str]
    latency_ms: Array
    features: Array
    copies: npt.NDArray[np.intp]
    numbers: Array
    predicted_ms: Array


def nb201(folder: Path) -> Table:
    """The features are numbers of operators, each also by its edge, all of them and those that data reaches."""
    data = np.load(folder / "nb201" / "nb201.npz", allow_pickle=False)
    devices = [str(name) for name in data["devices"]]
    kept = data["latency_ms"][:, devices.index("pixel3")] >= 1.0
    archs, latency = data["arch_ops"][kept].astype(int), data["latency_ms"][kept].astype(np.float64)
    one_hot = np.eye(len(data["ops"]))[archs]
    reached = one_hot * live_edges(archs != list(data["ops"]).index("none"))[:, :, None]
    features = np.hstack([one_hot.sum(axis=1), _flat(one_hot), reached.sum(axis=1), _flat(reached)])
    return _table("nb201", devices, latency, features, data["rep_idx"][kept].astype(np.intp), one_hot.sum(axis=1))


def live_edges(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The edges `(n, 6)` on a path from the input to the output of a cell that consists of `present` ones."""
    fed, used = np.zeros((2, len(present), 4), dtype=bool)
    fed[:, 0], used[:, 3] = True, True
    for edge, (start, end) in enumerate(EDGES):
        fed[:, end] |= fed[:, start] & present[:, edge]
    for edge, (start, end) in reversed(list(enumerate(EDGES))):
        used[:, start] |= used[:, end] & present[:, edge]
    return np.stack([present[:, e] & fed[:, a] & used[:, b] for e, (a, b) in enumerate(EDGES)], axis=1)


def fbnet(folder: Path) -> Table:
    """The features are numbers of blocks, each also by its stage and by its layer."""
    data = np.load(folder / "fbnet" / "fbnet.npz", allow_pickle=False)
    latency, one_hot = data["latency_ms"].astype(np.float64), np.eye(len(data["ops"]))[data["arch_ops"].astype(int)]
    stages = np.stack([one_hot[:, data["layer_group"] == g].sum(axis=1) for g in np.unique(data["layer_group"])], axis=1)
    features = np.hstack([one_hot.sum(axis=1), _flat(stages), _flat(one_hot)])
    return _table("fbnet", [str(name) for name in data["devices"]], latency, features, np.arange(len(latency)), one_hot.sum(axis=1))


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1)


def _table(name: str, devices: list[str], latency: Array, features: Array, copies: npt.NDArray[np.intp], numbers: Array) -> Table:
    columns = features[:, features.std(axis=0) > 1e-9]
    centred = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    gram = centred.T @ centred + 1e-3 * len(centred) * np.eye(centred.shape[1])
    predicted = latency.mean(axis=0) + centred @ np.linalg.solve(gram, centred.T @ (latency - latency.mean(axis=0)))
    return Table(name, devices, latency, columns, copies, numbers, np.maximum(predicted, latency.min(axis=0)))


def low_rank_ridge(rank: int, penalty: float) -> Method:
    """The baseline: ridge regression of the log cost on the leading components of the standardised log costs of the other devices."""

    def predict(sources: Array, chosen: npt.NDArray[np.intp], measured: Array) -> tuple[Array, ...]:
        logs = np.log(sources)
        left, sizes, _ = np.linalg.svd((logs - logs.mean(axis=0)) / logs.std(axis=0), full_matrices=False)
        components = left[:, :rank] * np.sqrt(len(left)) * sizes[:rank] / sizes[0]
        X, y = components[chosen], np.log(measured)
        centred = X - X.mean(axis=0)
        weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(X.shape[1]), centred.T @ (y - y.mean()))
        return (np.exp(y.mean() + (components - X.mean(axis=0)) @ weights),)

    return predict


def judged(t: Table, device: int, chosen: npt.NDArray[np.intp], found: tuple[Array, ...]) -> list[float]:
    """The metrics on all networks that are no copy of a measured one; NaN where there are none."""
    others = ~np.isin(t.copies, t.copies[chosen])
    values = metrics(found[0][others], t.latency_ms[others, device], *[end[others] for end in found[1:]])
    return [np.nan if values[name] is None else float(values[name] or 0.0) for name in METRICS]


def measure(t: Table, kin: bool) -> dict[tuple[str, int], list[list[float]]]:
    """Metrics `[device][metric]` by method and number of measured networks."""
    apart = spread_apart(np.log(t.predicted_ms))
    result: dict[tuple[str, int], list[list[float]]] = {}
    for device in range(len(t.devices)):
        known = np.delete(np.arange(len(t.devices)), device) if kin else apart[device]
        sources, truth = t.predicted_ms[:, known], t.latency_ms[:, device]
        baselines = {f"low rank {r}, ridge {p:g}, random": low_rank_ridge(r, p) for r in (3, 8) for p in (0.03, 0.1, 0.3, 1.0)}
        model = Transfer().learn(sources, t.features)
        order = np.array(model.next(max(COUNTS)))
        for count in COUNTS:
            draws = [np.random.default_rng(seed).choice(len(truth), count, replace=False) for seed in range(SEEDS)]
            for name, method in baselines.items():
                found = [judged(t, device, draw, method(sources, draw, truth[draw])) for draw in draws]
                result.setdefault((name, count), []).append(np.mean(found, axis=0).tolist())
            found = [judged(t, device, draw, model.adapt(draw, truth[draw]).predict()) for draw in draws]
            result.setdefault(("Transfer, random", count), []).append(np.mean(found, axis=0).tolist())
            chosen = order[:count]
            found = [judged(t, device, chosen, model.adapt(chosen, truth[chosen]).predict())]
            result.setdefault(("Transfer, chosen", count), []).append(found[0])
        print(f"{t.name}, {'all others' if kin else 'no kin'}: {t.devices[device]}", flush=True)
    return result


def best_baseline(result: dict[tuple[str, int], list[list[float]]]) -> dict[tuple[str, int], list[list[float]]]:
    """Of the baselines only the one with the best Spearman in hindsight, for each number of measured networks."""
    column = METRICS.index("spearman")
    kept = {key: value for key, value in result.items() if not key[0].startswith("low rank")}
    best = {}
    for count in COUNTS:
        names = [key for key in result if key[0].startswith("low rank") and key[1] == count]
        key = max(names, key=lambda name: float(np.mean(np.array(result[name])[:, column])))
        best[key] = result[key]
    return {**best, **kept}


def ceilings(t: Table) -> list[tuple[str, int, list[list[float]]]]:
    """What more measurements would give, with the number of networks: the linear model fitted on all, and networks measured twice."""
    nobody = np.array([], dtype=np.intp)
    fitted = [judged(t, device, nobody, (t.predicted_ms[:, device],)) for device in range(len(t.devices))]
    found = [("fitted on all", len(t.latency_ms), fitted)]
    first: dict[tuple[int, ...], int] = {}
    pairs = []
    for index, key in enumerate(zip(t.copies.tolist(), *t.numbers.T.tolist(), strict=True)):
        if first.setdefault(key, index) != index:
            pairs.append((first[key], index))
    if pairs:
        one, two = t.latency_ms[np.array(pairs).T]
        twice = [metrics(one[:, device], two[:, device]) for device in range(len(t.devices))]
        found.append(("repeat ceiling", len(pairs), [[np.nan if v[m] is None else float(v[m] or 0.0) for m in METRICS] for v in twice]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HWNAS_DATA", "../shared/data")))
    folder = parser.parse_args().data
    rows: list[dict[str, Any]] = []
    for t in (nb201(folder), fbnet(folder)):
        for kin in (True, False):
            sources = "all others" if kin else "no kin"
            for (method, count), found in sorted(best_baseline(measure(t, kin)).items(), key=lambda item: item[0][1]):
                rows.append(_row(t, sources, method, count, found))
        rows += [_row(t, "", method, count, found) for method, count, found in ceilings(t)]
    print(table([{name: value for name, value in row.items() if name != "by_device"} for row in rows]))
    print(f"published, Spearman at 10 on other devices: {PUBLISHED}")
    save("transfer", {"seeds": SEEDS, "published_spearman_at_10": PUBLISHED, "rows": rows})


def _row(t: Table, sources: str, method: str, count: int, found: list[list[float]]) -> dict[str, Any]:
    means = np.mean(found, axis=0)
    numbers = {name: None if np.isnan(mean) else float(mean) for name, mean in zip(METRICS, means, strict=True)}
    column = METRICS.index("spearman")
    spearman = {device: values[column] for device, values in zip(t.devices, found, strict=True)}
    return {"table": t.name, "sources": sources, "method": method, "measured": count, **numbers, "by_device": {"spearman": spearman}}


if __name__ == "__main__":
    main()
