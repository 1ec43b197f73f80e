"""`NetworkPredictor`: from the profile of a device to the price of any network on it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_profiles.errors import InputError
from device_profiles.operators import Network, Operator
from predictors.cost import Cost, Lower
from predictors.cost_table import CostTable, Progress
from predictors.device_energy import DeviceEnergy, EnergyColumn, fit_energy
from predictors.features import family
from predictors.head import Doubt, ResidualHead
from predictors.network_fit import fit_head, floor_ms
from predictors.prediction import Prediction, dataframe
from predictors.pricing import OperatorPrice, OperatorPricer

if TYPE_CHECKING:
    from device_profiles.graphs.graph import Trace
    from device_profiles.profile import DeviceProfile


class NetworkPredictor:
    """Prices networks on one device: the sum of their operators, a residual head, and an interval.

    Learned: `pricer_` (prices operators), `head_`, `doubt_` (widths of intervals), `device_name_`, `origin_` (what the profile was: its
    header and hash).
    """

    pricer_: OperatorPricer
    head_: ResidualHead
    doubt_: Doubt
    device_name_: str
    origin_: dict[str, Any]
    #: What turns times into energy; None when no energy was measured.
    energy_: DeviceEnergy | None = None
    #: Where it was saved or loaded last.
    path_: Path | None = None

    def fit(self, profile: DeviceProfile) -> NetworkPredictor:
        """Learns from the measured operators and whole networks of a profile.

        Few measurements give wide intervals. Raises InputError when the profile holds no measured operator, or was made
        on an emulated processor.
        """
        profile.refuse_functional()
        measured = profile.operators()
        if not measured and profile.networks():
            runtime = profile.header["runtime"].get("name")
            raise InputError(
                f"a predictor needs at least one measured operator; this profile has whole networks only (does {runtime} say what it runs?)"
            )
        failed = [str(line["key"]) for line in profile.failures() if line["type"] == "operator"]
        self.pricer_ = OperatorPricer().fit([m.operator for m in measured], [m.latency_ms for m in measured], failed)
        networks = profile.networks()
        self.head_, self.doubt_ = fit_head(self.pricer_, networks, floor_ms(profile))
        self.energy_ = fit_energy(self, measured, networks)
        self.device_name_ = profile.device_name
        header = {name: profile.header.get(name, {}) for name in ("device", "runtime", "protocol")}
        canaries = {key: quantity.to_json() for key, quantity in profile.canaries().items()}
        counts = {"operators": len(measured), "networks": len(networks)}
        self.origin_ = {**header, "profile": {"sha256": profile.sha256, **counts, "canaries": canaries}}
        return self

    def predict(self, network: Network) -> Prediction:
        """The price of a network as the runtime executes it. Raises InputError when it has no operator."""
        priced = Prediction.of(network, self.predict_operators(network.operators), self.head_, self.doubt_)
        return priced if self.energy_ is None else replace(priced, energy_mj=self.energy_.energy_mj(priced.operators, self.doubt_))

    def predict_operators(self, operators: Sequence[Operator]) -> list[OperatorPrice]:
        """One price per executed operator, in order, each above 0 and with its source."""
        self._check_fitted()
        return self.pricer_.price(operators)

    def explain(self, network: Network) -> list[dict[str, Any]]:
        """Where the time of an executed network goes: rows that add up to the total, see `Prediction.explain`."""
        return self.predict(network).explain()

    def predict_onnx(self, path: str | os.PathLike[str], lower: Lower | None = None, dims: dict[str, int] | None = None) -> Prediction:
        """The price of the network in an ONNX file.

        `lower` maps the network as written to the one that is executed; without it that is worked out where it is known for sure (see
        `device_profiles.lowering`), else the runtime of this device is asked. `dims` gives values to symbolic dimensions. `macs` and
        `params` are those of the file. Raises InputError, in one line, for a file that cannot be priced.
        """
        from device_profiles import onnx_io

        source, trace = onnx_io.read_traced(path, dims)
        executed = lower(source) if lower is not None else self._executed(Path(path), source, trace, fixed_dims=bool(dims))
        return replace(self.predict(executed), macs=source.macs, params=source.params)

    def compile(self, space: Any, lower: Lower | None = None, progress: Progress | None = None) -> CostTable:
        """A table that prices encoded architectures of a space; see `CostTable`.

        `lower` is as in `predict_onnx`; `progress(share, message)` is called on the way. Raises InputError when a part has too many
        joint values for a table, or an executed operator belongs to no part.
        """
        self._check_fitted()
        if lower is not None:
            return CostTable.compile(space, lower, self, progress)
        with self.lowering() as ask:
            return CostTable.compile(space, ask, self, progress)

    def _executed(self, path: Path, source: Network, trace: Trace, fixed_dims: bool) -> Network:
        """What the runtime of this device executes for a file: worked out here where that is known for sure, else the runtime is asked."""
        from device_profiles import lowering

        self._check_fitted()
        block = lowering.block_of(self.origin_["device"], self.origin_["runtime"])
        if block is not None:
            with suppress(lowering.Unsure):
                return lowering.lower_file(source, trace, block)
        return self._ask(path, source, fixed_dims)

    def _ask(self, path: Path, source: Network, fixed_dims: bool) -> Network:
        """What the runtime executes for a file.

        The file itself is run where possible: some fusions depend on the values of constants, which a Network does not hold. It is not
        possible where dimensions were given, or where weights lie in other files.
        """
        from device_profiles.runtimes import RuntimeFailure

        with self.lowering() as ask:
            if not fixed_dims:
                with suppress(RuntimeFailure):
                    return ask(path.read_bytes())
            return ask(source)

    @contextmanager
    def lowering(self) -> Iterator[Callable[[Network | bytes], Network]]:
        """A function from a network, or the bytes of an ONNX model, to what the runtime of this device executes for it."""
        from device_profiles.runtimes import lowering

        self._check_fitted()
        runtime = self.origin_["runtime"]
        with lowering(str(runtime.get("name", "onnxruntime")), int(runtime.get("threads", 1))) as ask:
            yield ask

    @property
    def latency_ms(self) -> Cost:
        """Latency as an objective of a search."""
        return Cost("latency_ms", "ms", self)

    @property
    def energy_mj(self) -> Cost:
        """Energy as an objective of a search. Raises InputError when the profile of this device holds no energy."""
        self._check_fitted()
        return Cost("energy_mj", "mJ", EnergyColumn(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `device.json`, which `predictors.load` reads. Raises InputError when it cannot be written."""
        from predictors.store import save

        self._check_fitted()
        save(self, path)

    def to_dataframe(self) -> Any:
        """The measured operators, one row each, as a pandas DataFrame. Raises InputError when pandas is not installed."""
        self._check_fitted()
        rows = []
        for op in self.pricer_.operators_:
            q = self.pricer_.measured_[op.key]
            row = {"kind": op.kind, "family": family(op), "macs": op.macs, "params": op.params, "bytes": op.read_bytes + op.written_bytes}
            rows.append({**row, "latency_ms": q.value, "low_ms": q.low, "high_ms": q.high, "key": op.key})
        return dataframe(rows)

    def _check_fitted(self) -> None:
        if not hasattr(self, "pricer_"):
            raise InputError("this predictor has learned nothing yet: call fit(profile), or load a device.json")

    def __repr__(self) -> str:
        if not hasattr(self, "pricer_"):
            return "<NetworkPredictor, not fitted>"
        size = len(self.pricer_.measured_)
        width = math.expm1(self.doubt_.network)
        return f"<NetworkPredictor {self.device_name_}: {size} operators, {self.doubt_.networks} networks, +-{width:.1%}>"
